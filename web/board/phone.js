import { call } from "../api.js";
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { say } from "../parts/toast.js";
import { html, useState } from "../vendor/preact.js";
import { whyNot } from "./actions.js";

/** Connects a courier's phone: a QR code for each app. @param {{id: string, board: import("./board.js").Board}} props */
export function Phone({ id, board }) {
  const [made, setMade] = useState(/** @type {any} */ (undefined));
  const connect = async () => {
    try {
      setMade(await call("POST", `/courier/${id}/onboarding`, { body: {} }));
    } catch (reason) {
      say(whyNot(reason, board), { kind: "bad" });
    }
  };
  const others = (made?.apps ?? []).filter((/** @type {any} */ a) => a.app !== "courier");
  const own = made?.apps.find((/** @type {any} */ a) => a.app === "courier");
  return html`
    <section class="card">
      <h3>${t("phone.title")}</h3>
      <p class="small quiet">${t("phone.about")}</p>
      <${Button} icon="phone" onClick=${connect}>${t("phone.connect")}<//>
      <${Dialog} open=${made !== undefined} title=${t("phone.scan")} onClose=${() => setMade(undefined)}>
        <p class="small">${t("phone.once")}</p>
        <ul class="phones">${own && html`<${App} app=${own} />`}</ul>
        <details>
          <summary>${t("phone.others")}</summary>
          <ul class="phones">${others.map((/** @type {any} */ app) => html`<${App} app=${app} />`)}</ul>
        </details>
      <//>
    </section>
  `;
}

/** @param {{app: any}} props */
const App = ({ app }) => html`
  <li>
    <h3>${app.app === "courier" ? t("phone.own") : app.app}</h3>
    ${app.qr && html`<img src=${app.qr} alt=${t("phone.qr", { app: app.app })} width="180" height="180" />`}
    ${app.deep_link && html`<a href=${app.deep_link}>${t("phone.open")}</a>`}
    <code class="tiny">${app.url}</code>
  </li>
`;
