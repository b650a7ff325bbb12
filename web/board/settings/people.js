import { call } from "../../api.js";
import { t } from "../../i18n/index.js";
import { Button } from "../../parts/button.js";
import { Field } from "../../parts/field.js";
import { say } from "../../parts/toast.js";
import { html, useState } from "../../vendor/preact.js";
import { whyNot } from "../actions.js";
import { saveAs } from "../files.js";
import { Ask } from "../secret.js";

/** Customers' own data: handed out and erased on request. @param {import("../app.js").Props} props */
export function People({ board, session }) {
  const [phone, setPhone] = useState("");
  const [asking, setAsking] = useState(false);
  const bad = (/** @type {unknown} */ reason) => say(whyNot(reason, board), { kind: "bad" });
  const query = `phone=${encodeURIComponent(phone)}`;
  const hand = () =>
    call("GET", `/customers/export?${query}`).then(told => {
      if (!told.orders.length) return say(t("people.none"));
      saveAs("customer.json", "application/json", JSON.stringify(told, undefined, 2));
    }, bad);
  const erase = () => call("DELETE", `/customers?${query}`, { key: crypto.randomUUID() }).then(told => say(t("people.erased", { n: told?.orders ?? 0 })), bad);
  return html`
    <form class="card settings-form" onSubmit=${(/** @type {Event} */ e) => {
      e.preventDefault();
      if (phone) hand();
    }}>
      <header><h2>${t("tab.people")}</h2><p class="small quiet">${t("people.about")}</p></header>
      <${Field} label=${t("fact.phone")} type="tel" value=${phone} onInput=${setPhone} />
      <footer class="settings-actions">
        <${Button} type="submit" disabled=${!phone}>${t("people.export")}<//>
        ${session.can("eraseCustomer") && html`<${Button} kind="danger" disabled=${!phone} onClick=${() => setAsking(true)}>${t("people.erase")}<//>`}
      </footer>
      <${Ask} open=${asking} title=${t("people.erase.title", { phone })} text=${t("people.erase.text")} act=${t("people.erase")} close=${() => setAsking(false)} sure=${erase} />
    </form>
  `;
}
