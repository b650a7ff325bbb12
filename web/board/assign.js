import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { act, applyAll, assignTo } from "./actions.js";
import { Outcome } from "./bulk.js";
import { fold } from "./groups.js";

const SHOWN = 60;

/** Chooses a courier for one order or many. @param {import("./app.js").Props} props */
export function Assign({ board, commands }) {
  const ids = commands.assigning.value;
  const [q, setQ] = useState("");
  const [near, setNear] = useState(/** @type {Map<string, number>} */ (new Map()));
  const [results, setResults] = useState(/** @type {import("./bulk.js").Results | undefined} */ (undefined));
  const orders = (ids ?? []).flatMap(id => board.orders.get(id) ?? []);
  const from = orders.length === 1 ? orders[0].pickup?.location : undefined;
  useEffect(() => {
    setQ("");
    setNear(new Map());
    if (from) {
      call("GET", `/couriers/near?lat=${from.lat}&lon=${from.lon}&limit=50`).then(
        found => setNear(new Map(found.couriers.map((/** @type {any} */ c) => [c.id, c.distance_m]))),
        () => {}, // the list is complete without distances
      );
    }
  }, [ids]);
  const close = () => (commands.assigning.value = undefined);
  const pick = async (/** @type {string} */ courier) => {
    close();
    if (orders.length === 1) return act(board, orders[0], assignTo(courier), t("done.assigned", { number: orders[0].number ?? "" }));
    const told = await applyAll(board, orders, assignTo(courier), () => {});
    setResults(told);
    commands.mark(told.filter(r => r.error).map(r => r.order.id));
  };
  const couriers = [...board.couriers.values()]
    .filter(c => c.on_duty && (!q || fold(c.name).includes(fold(q))))
    .sort((a, b) => (near.get(a.id) ?? 1e9) - (near.get(b.id) ?? 1e9) || (a.active_orders ?? 0) - (b.active_orders ?? 0) || a.name.localeCompare(b.name, lang));
  const first = couriers[0]?.id;
  return html`
    <${Dialog} open=${ids !== undefined} onClose=${close} title=${orders.length === 1 ? t("assign.one", { number: orders[0].number ?? "" }) : t("assign.many", { n: orders.length })}>
      <form class="assign" onSubmit=${(/** @type {Event} */ e) => {
        e.preventDefault();
        if (first) pick(first);
      }}>
        <input class="palette-field" autofocus value=${q} placeholder=${t("assign.find")} aria-label=${t("assign.find")} onInput=${(/** @type {any} */ e) => setQ(e.target.value)} />
        <${Button} icon="again" onClick=${() => pick("")}>${t("assign.auto")}<//>
      </form>
      <ul class="assign-list">
        ${couriers.slice(0, SHOWN).map(
          c => html`
            <li><button type="button" onClick=${() => pick(c.id)}>
              <${Icon} name=${c.vehicle ?? "people"} /><span dir="auto">${c.name}</span>
              <span class="quiet num">${near.has(c.id) ? kilometres(near.get(c.id) ?? 0) : ""}</span>
              <span class="quiet num">${t("assign.load", { n: c.active_orders ?? 0, of: c.capacity ?? 0 })}</span>
            </button></li>
          `,
        )}
        ${couriers.length === 0 && html`<li class="quiet">${t("assign.nobody")}</li>`}
      </ul>
    <//>
    <${Outcome} results=${results} close=${() => setResults(undefined)} />
  `;
}

/** @param {number} metres */
export const kilometres = metres =>
  metres < 950 ? t("map.metres", { n: Math.round(metres / 50) * 50 }) : t("map.kilometres", { n: Number((metres / 1000).toFixed(1)) });
