import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { html, signal, useState } from "../vendor/preact.js";
import { go, route } from "./route.js";

/** @typedef {{name: string, group?: string, q?: string, late?: string, courier?: string}} View a filter of the list, with a name */

const KEY = "board.views"; // in the browser's storage
const nothing = { group: "", q: "", late: "", courier: "" };

/** The saved views of this browser. */
const views = signal(/** @type {View[]} */ (read()));

/** @returns {View[]} */
function read() {
  try {
    const kept = JSON.parse(localStorage.getItem(KEY) ?? "[]");
    return Array.isArray(kept) ? kept.filter(v => typeof v?.name === "string") : [];
  } catch {
    return []; // the storage is blocked or holds something else
  }
}

/** @param {View[]} next */
function keep(next) {
  views.value = next;
  try {
    localStorage.setItem(KEY, JSON.stringify(next));
  } catch {
    // they last until the page is closed
  }
}

/** What makes two filters the same. @param {import("./route.js").Route} v */
const filterOf = ({ group, q, late, courier }) => JSON.stringify([group || "", q || "", late || "", courier || ""]);

/** Filters that the user gave a name, and a field to name the present one. */
export function Views() {
  const { group, q, late, courier } = route.value;
  const [name, setName] = useState(/** @type {string | undefined} */ (undefined));
  const now = filterOf(route.value);
  const same = (/** @type {View} */ v) => filterOf(v) === now;
  const filtered = group || q || late || courier;
  const save = (/** @type {Event} */ e) => {
    e.preventDefault();
    if (name?.trim()) keep([...views.value.filter(v => v.name !== name.trim()), { name: name.trim(), group, q, late, courier }]);
    setName(undefined);
  };
  return html`
    ${views.value.map(
      v => html`
        <div class="view-line">
          <button type="button" class="group-line" aria-current=${same(v) ? "true" : undefined} onClick=${() => go({ ...nothing, ...v, .../** @type {any} */ ({ name: "" }) })}><span dir="auto">${v.name}</span></button>
          <${Button} kind="quiet" icon="close" label=${t("views.remove", { name: v.name })} onClick=${() => keep(views.value.filter(other => other !== v))} />
        </div>
      `,
    )}
    ${
      name === undefined
        ? filtered &&
          !views.value.some(same) &&
          html`<button type="button" class="group-line quiet" onClick=${() => setName(q ?? "")}><span>${t("views.save")}</span></button>`
        : html`<form onSubmit=${save}><input class="search view-name" autofocus value=${name} maxlength="40" aria-label=${t("views.name")} placeholder=${t("views.name")} onInput=${(/** @type {any} */ e) => setName(e.target.value)} onKeyDown=${(/** @type {KeyboardEvent} */ e) => e.key === "Escape" && setName(undefined)} /></form>`
    }
  `;
}
