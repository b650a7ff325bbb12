import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { html } from "../vendor/preact.js";
import { Audit } from "./audit.js";
import { Keys } from "./keys.js";
import { go, route } from "./route.js";
import { Brand, Dispatch, Privacy, Retention } from "./settings/installation.js";
import { Merchants } from "./settings/merchants.js";
import { People } from "./settings/people.js";
import { Rules } from "./settings/rules.js";
import { Webhooks } from "./settings/webhooks.js";

/** The pages, with the operation of the API that one must be allowed to use. @type {[tab: string, operation: string, page: any][]} */
const pages = [
  ["me", "getMe", Me],
  ["webhooks", "listWebhooks", Webhooks],
  ["rules", "getNotificationRules", Rules],
  ["merchants", "getMerchant", Merchants],
  ["brand", "getSettings", Brand],
  ["privacy", "getSettings", Privacy],
  ["dispatch", "getSettings", Dispatch],
  ["retention", "getSettings", Retention],
  ["people", "exportCustomer", People],
  ["keys", "listKeys", Keys],
  ["audit", "listAudit", Audit],
];

/** Settings, a page each. @param {import("./app.js").Props} props */
export function Settings(props) {
  const { session } = props;
  const mine = pages.filter(([, operation]) => session.can(operation));
  const [tab, , page] = mine.find(([name]) => name === route.value.tab) ?? mine[0];
  const merchant = session.me.value?.role === "merchant";
  return html`
    <div class="settings">
      <nav class="groups settings-tabs" aria-label=${t("rail.settings")}>
        ${mine.map(([name]) => html`<button type="button" class="group-line" aria-current=${name === tab ? "page" : undefined} onClick=${() => go({ tab: name, id: "" })}>${t(merchant && name === "merchants" ? "tab.merchant" : `tab.${name}`)}</button>`)}
      </nav>
      <section class="settings-page" aria-label=${t(`tab.${tab}`)}><${page} key=${tab} ...${props} /></section>
    </div>
  `;
}

/** Who works here. @param {import("./app.js").Props} props */
function Me({ session }) {
  const me = session.me.value;
  return html`
    <div class="card me">
      <div><p class="strong" dir="auto">${me?.name === "local" ? t("me.local") : me?.name}</p><p class="small quiet">${t(`role.${me?.role}`)}${me?.merchant_id && ` · ${me.merchant_id}`}</p></div>
      ${me?.expires_at && html`<${Button} onClick=${() => session.signOut()}>${t("me.leave")}<//>`}
    </div>
  `;
}
