import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Choice } from "../parts/choice.js";
import { Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { ago, shortDate } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { whyNot } from "./actions.js";
import { timeOf } from "./edit.js";
import { Ask, Secret } from "./secret.js";

const roles = ["dispatcher", "merchant", "courier", "partner", "monitor", "admin"];
const owned = ["merchant", "partner", "courier"];
const OVERLAP = 24 * 3600; // seconds in which the old key works beside the new one
const blank = { name: "", role: "dispatcher", owner: "", until: "" };

/** Keys: make, rotate, revoke. @param {{board: import("./board.js").Board}} props */
export function Keys({ board }) {
  const [keys, setKeys] = useState(/** @type {any[]} */ ([]));
  const [shown, setShown] = useState("");
  const [form, setForm] = useState(/** @type {typeof blank | undefined} */ (undefined));
  const [revoking, setRevoking] = useState(/** @type {any} */ (undefined));
  const bad = (/** @type {unknown} */ reason) => say(whyNot(reason, board), { kind: "bad" });
  const load = () => call("GET", "/keys?page_size=500").then(told => setKeys(told.keys), bad);
  useEffect(() => void load(), []);
  const change = async (/** @type {string} */ method, /** @type {string} */ path, /** @type {any} */ body) => {
    try {
      const told = await call(method, path, { body, key: crypto.randomUUID() });
      if (told?.key) setShown(told.key);
      setForm(undefined);
      await load();
    } catch (reason) {
      bad(reason);
    }
  };
  const make = () => {
    const { name, role, owner, until } = form ?? blank;
    const scope = role === "courier" ? { courier_id: owner } : owned.includes(role) ? { merchant_id: owner } : {};
    change("POST", "/keys", { name, role, ...scope, ...(until && { expires_at: timeOf(until) }) });
  };
  return html`
    <div class="card">
      <header class="card-head"><h2>${t("tab.keys")}</h2><${Button} icon="plus" onClick=${() => setForm(blank)}>${t("keys.make")}<//></header>
      <p class="small quiet">${t("keys.about")}</p>
      <ul class="keys-list">
        ${keys.map(
          k => html`
            <li><span class="strong" dir="auto">${k.name}</span><span title=${t(`role.${k.role}.about`)}>${t(`role.${k.role}`)} <span class="quiet" dir="auto">${k.merchant_id ?? board.nameOf(k.courier_id)}</span></span><code class="tiny">${k.prefix}…</code>
              <span class="small quiet">${k.last_used_at ? t("keys.used", { ago: ago(Date.parse(k.last_used_at), board.now.value, { lang }) }) : t("keys.unused")}${k.expires_at && ` · ${t("keys.until", { day: shortDate(Date.parse(k.expires_at), { lang }) })}`}</span>
              <${Button} kind="quiet" icon="again" label=${t("keys.rotate")} onClick=${() => change("POST", `/keys/${k.id}/rotate`, { overlap_seconds: OVERLAP })} />
              <${Button} kind="danger" icon="close" label=${t("keys.revoke")} onClick=${() => setRevoking(k)} /></li>
          `,
        )}
      </ul>
      <${Dialog} open=${form !== undefined} title=${t("keys.make")} onClose=${() => setForm(undefined)}
        actions=${html`<${Button} onClick=${() => setForm(undefined)}>${t("keep.closed")}<//><${Button} kind="main" onClick=${make}>${t("keys.make")}<//>`}>
        ${form && html`<${NewKey} form=${form} set=${(/** @type {any} */ more) => setForm({ ...form, ...more })} make=${make} />`}
      <//>
      <${Secret} title=${t("keys.shown")} value=${shown} close=${() => setShown("")} />
      <${Ask} open=${revoking !== undefined} title=${t("keys.revoke.title", { name: revoking?.name ?? "" })} text=${t("keys.revoke.text")} act=${t("keys.revoke")} close=${() => setRevoking(undefined)} sure=${() => change("DELETE", `/keys/${revoking.id}`, undefined)} />
    </div>
  `;
}

/** @param {{form: typeof blank, set: (more: Partial<typeof blank>) => void, make: () => void}} props */
const NewKey = ({ form, set, make }) => html`
  <form class="form" onSubmit=${(/** @type {Event} */ e) => {
    e.preventDefault();
    make();
  }}>
    <${Field} label=${t("keys.name")} value=${form.name} onInput=${(/** @type {string} */ name) => set({ name })} limit=${200} />
    <${Choice} label=${t("keys.role")} value=${form.role} options=${roles.map(r => [r, t(`role.${r}`)])} hint=${t(`role.${form.role}.about`)} onPick=${(/** @type {string} */ role) => set({ role })} />
    ${owned.includes(form.role) && html`<${Field} label=${t(form.role === "courier" ? "keys.courier" : "keys.merchant")} value=${form.owner} onInput=${(/** @type {string} */ owner) => set({ owner })} />`}
    <${Field} label=${t("keys.expires")} type="datetime-local" value=${form.until} onInput=${(/** @type {string} */ until) => set({ until })} />
    <button type="submit" hidden></button>
  </form>
`;
