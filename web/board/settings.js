import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { html } from "../vendor/preact.js";
import { Audit } from "./audit.js";
import { Keys } from "./keys.js";

/** Who works here, keys, audit. @param {import("./app.js").Props} props */
export function Settings({ board, session }) {
  const me = session.me.value;
  return html`
    <section class="settings" aria-label=${t("rail.settings")}>
      <h1>${t("rail.settings")}</h1>
      <div class="card me">
        <div><p class="strong" dir="auto">${me?.name || t("me.local")}</p><p class="small quiet">${t(`role.${me?.role}`)}${me?.merchant_id && ` · ${me.merchant_id}`}</p></div>
        ${me?.expires_at && html`<${Button} onClick=${() => session.signOut()}>${t("me.leave")}<//>`}
      </div>
      ${session.can("listKeys") && html`<${Keys} board=${board} />`}
      ${session.can("listAudit") && html`<${Audit} board=${board} />`}
    </section>
  `;
}
