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
  return html`
    <section class="card">
      <h3>${t("phone.title")}</h3>
      <p class="small quiet">${t("phone.about")}</p>
      <${Button} icon="phone" onClick=${connect}>${t("phone.connect")}<//>
      <${Dialog} open=${made !== undefined} title=${t("phone.scan")} onClose=${() => setMade(undefined)}>
        <p class="small">${t("phone.once")}</p>
        <ul class="phones">
          ${(made?.apps ?? []).map(
            (/** @type {any} */ a) => html`
              <li>
                <h3>${a.app}</h3>
                ${a.qr && html`<img src=${a.qr.startsWith("data:") ? a.qr : `data:image/png;base64,${a.qr}`} alt=${t("phone.qr", { app: a.app })} width="180" height="180" />`}
                ${a.deep_link && html`<a href=${a.deep_link}>${t("phone.open")}</a>`}
                <code class="tiny">${a.url}</code>
              </li>
            `,
          )}
        </ul>
      <//>
    </section>
  `;
}
