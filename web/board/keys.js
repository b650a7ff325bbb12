import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { ago } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { whyNot } from "./actions.js";

const roles = ["dispatcher", "merchant", "courier", "partner", "monitor", "admin"];
const OVERLAP = 24 * 3600; // seconds in which the old key works beside the new one

/** Keys: make, rotate, revoke. @param {{board: import("./board.js").Board}} props */
export function Keys({ board }) {
  const [keys, setKeys] = useState(/** @type {any[]} */ ([]));
  const [shown, setShown] = useState("");
  const [form, setForm] = useState(/** @type {{name: string, role: string, owner: string} | undefined} */ (undefined));
  const bad = (/** @type {unknown} */ reason) => say(whyNot(reason, board), { kind: "bad" });
  const load = () => call("GET", "/keys?page_size=200").then(told => setKeys(told.keys), bad);
  useEffect(() => void load(), []);
  const change = async (/** @type {string} */ method, /** @type {string} */ path, /** @type {any} */ body) => {
    try {
      const told = await call(method, path, { body });
      if (told?.key) setShown(told.key);
      setForm(undefined);
      await load();
    } catch (reason) {
      bad(reason);
    }
  };
  const make = () => {
    const { name, role, owner } = form ?? { name: "", role: "", owner: "" };
    change("POST", "/keys", {
      name,
      role,
      ...(["merchant", "partner"].includes(role) && { merchant_id: owner }),
      ...(role === "courier" && { courier_id: owner }),
    });
  };
  return html`
    <div class="card">
      <header class="card-head"><h2>${t("keys.title")}</h2><${Button} icon="plus" onClick=${() => setForm({ name: "", role: "dispatcher", owner: "" })}>${t("keys.make")}<//></header>
      <ul class="keys-list">
        ${keys.map(
          k => html`
            <li><span class="strong" dir="auto">${k.name}</span><span>${t(`role.${k.role}`)}</span><code class="tiny">${k.prefix}…</code>
              <span class="small quiet">${k.last_used_at ? t("keys.used", { ago: ago(Date.parse(k.last_used_at), board.now.value, { lang }) }) : t("keys.unused")}</span>
              <${Button} kind="quiet" icon="again" label=${t("keys.rotate")} onClick=${() => change("POST", `/keys/${k.id}/rotate`, { overlap_seconds: OVERLAP })} />
              <${Button} kind="danger" icon="close" label=${t("keys.revoke")} onClick=${() => change("DELETE", `/keys/${k.id}`, undefined)} /></li>
          `,
        )}
      </ul>
      <${Dialog} open=${form !== undefined} title=${t("keys.make")} onClose=${() => setForm(undefined)}
        actions=${html`<${Button} onClick=${() => setForm(undefined)}>${t("keep.closed")}<//><${Button} kind="main" onClick=${make}>${t("keys.make")}<//>`}>
        ${
          form &&
          html`
            <div class="form">
              <${Field} label=${t("keys.name")} value=${form.name} onInput=${(/** @type {string} */ name) => setForm({ ...form, name })} limit=${100} />
              <label class="field"><span class="strong small">${t("keys.role")}</span><select class="choice" value=${form.role} onChange=${(/** @type {any} */ e) => setForm({ ...form, role: e.target.value })}>${roles.map(r => html`<option value=${r}>${t(`role.${r}`)}</option>`)}</select></label>
              ${["merchant", "partner", "courier"].includes(form.role) && html`<${Field} label=${t(form.role === "courier" ? "keys.courier" : "keys.merchant")} value=${form.owner} onInput=${(/** @type {string} */ owner) => setForm({ ...form, owner })} />`}
            </div>
          `
        }
      <//>
      <${Dialog} open=${shown !== ""} title=${t("keys.shown")} onClose=${() => setShown("")} actions=${html`<${Button} kind="main" icon="copy" onClick=${() => navigator.clipboard?.writeText(shown).then(() => say(t("parcel.copied")))}>${t("parcel.copy")}<//>`}>
        <p>${t("keys.once")}</p><code class="secret">${shown}</code>
      <//>
    </div>
  `;
}
