import { t } from "../i18n/index.js";
import { Dialog } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { StatusMark } from "../parts/status-mark.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { fold, listed } from "./groups.js";
import { go } from "./route.js";

const SHOWN = 8;

/** Finds orders, couriers and commands by name. @param {import("./app.js").Props} props */
export function Palette({ board, commands }) {
  const text = commands.search.value;
  const [at, setAt] = useState(0);
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  const close = () => (commands.search.value = undefined);
  useEffect(() => {
    setAt(0);
    if (text === "") field.current?.focus();
  }, [text]);
  const found = text === undefined ? [] : find(board, commands, text);
  const pick = (/** @type {number} */ i) => {
    close();
    found[i]?.run();
  };
  const pressed = (/** @type {KeyboardEvent} */ e) => {
    if (e.key === "ArrowDown" || e.key === "ArrowUp") setAt((at + (e.key === "ArrowDown" ? 1 : found.length - 1)) % Math.max(1, found.length));
    else if (e.key === "Enter") pick(at);
    else return;
    e.preventDefault();
  };
  return html`
    <${Dialog} open=${text !== undefined} title=${t("palette.title")} onClose=${close}>
      <input ref=${field} class="palette-field" value=${text ?? ""} placeholder=${t("palette.hint")} aria-label=${t("palette.title")} role="combobox"
        aria-expanded="true" aria-controls="palette-found" aria-activedescendant=${`palette-${at}`} autocomplete="off" onKeyDown=${pressed}
        onInput=${(/** @type {any} */ e) => commands.palette(e.target.value)} />
      <ul class="palette-found" id="palette-found" role="listbox" aria-label=${t("palette.title")}>
        ${found.map(
          (item, i) => html`
            <li id=${`palette-${i}`} role="option" aria-selected=${i === at ? "true" : "false"} onMouseMove=${() => setAt(i)} onClick=${() => pick(i)}>
              ${item.status ? html`<${StatusMark} status=${item.status} bare />` : html`<${Icon} name=${item.icon} />`}
              <span dir="auto">${item.text}</span>${item.key && html`<kbd>${item.key}</kbd>`}
            </li>
          `,
        )}
        ${found.length === 0 && html`<li class="quiet">${t("palette.nothing")}</li>`}
      </ul>
    <//>
  `;
}

/** @param {import("./board.js").Board} board @param {import("./commands.js").Commands} commands @param {string} text */
function find(board, commands, text) {
  const q = fold(text);
  const actions = commands.all
    .filter(c => commands.ready(c) && !["down", "up", "close", "palette"].includes(c.name))
    .map(c => ({ text: t(`command.${c.name}`), key: c.key, icon: "go", status: "", run: c.run }))
    .filter(c => fold(c.text).includes(q));
  if (!q) return actions.slice(0, 2 * SHOWN);
  const orders = listed(board.orders.values(), { q: text }, board.now.value)
    .slice(0, SHOWN)
    .map(o => ({
      text: `${o.number} · ${o.customer?.name ?? ""} · ${o.dropoff?.address ?? ""}`,
      key: "",
      icon: "",
      status: o.status,
      run: () => commands.show(o.id),
    }));
  const couriers = [...board.couriers.values()]
    .filter(c => fold(c.name).includes(q))
    .slice(0, SHOWN)
    .map(c => ({ text: c.name, key: "", icon: c.vehicle ?? "people", status: "", run: () => go({ view: "couriers", courier: c.id, order: "" }) }));
  const more = { text: t("palette.everywhere", { q: text }), key: "", icon: "search", status: "", run: () => go({ view: "", q: text, order: "" }) };
  return [...orders, ...couriers, ...actions.slice(0, SHOWN), more];
}

/** The keys. @param {import("./app.js").Props} props */
export function Help({ commands }) {
  return html`
    <${Dialog} open=${commands.help.value} title=${t("help.title")} onClose=${() => (commands.help.value = false)}>
      <dl class="keys">
        ${commands.all.filter(c => c.key && commands.may(c)).map(c => html`<dt><kbd>${c.key}</kbd></dt><dd>${t(`command.${c.name}`)}</dd>`)}
      </dl>
    <//>
  `;
}
