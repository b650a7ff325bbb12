import { call } from "../api.js";
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { html, useState } from "../vendor/preact.js";

/** What goes on with the screen off: an app of the phone. @param {{day: import("./day.js").Day}} props */
export function PhoneApp({ day }) {
  const [app, setApp] = useState(/** @type {any} */ (undefined));
  const [failed, setFailed] = useState(false);
  const show = async () => {
    try {
      const made = await call("POST", `/courier/${day.id}/onboarding`, { body: {} });
      setApp(made.apps.find((/** @type {any} */ a) => a.app === "traccar"));
      setFailed(false);
    } catch {
      setFailed(true);
    }
  };
  if (!app) {
    return html`
      <${Button} icon="phone" onClick=${show}>${t("place.app")}<//>
      ${failed && html`<p class="field-error" role="alert">${t("place.app.failed")}</p>`}
    `;
  }
  return html`
    <ol class="app-steps">
      <li>${t("place.app.step1")}</li>
      <li><a href=${app.deep_link}>${t("place.app.step2")}</a></li>
      <li>${t("place.app.step3")}</li>
    </ol>
    <img class="app-qr" src=${app.qr} alt=${t("place.app.qr")} width="200" height="200" />
  `;
}
