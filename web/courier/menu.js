import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { clock, span } from "../parts/time.js";
import { html, useState } from "../vendor/preact.js";
import { duty } from "./act.js";
import { choose, wanted } from "./look.js";

/** Duty, the phone app, and the look. @param {import("./app.js").Props & {close: () => void}} props */
export function Menu({ day, tracker, close }) {
  const on = day.courier.value?.on_duty;
  const set = (/** @type {boolean} */ to, /** @type {boolean} */ pause) => {
    duty(day, to, pause);
    close();
  };
  const other = lang === "ru" ? "en" : "ru";
  return html`
    <${Dialog} open title=${day.courier.value?.name ?? t("menu.title")} onClose=${close}>
      <div class="app-form">
        ${on && html`<${Button} size="large" icon="clock" onClick=${() => set(false, true)}>${t("duty.pause")}<//>`}
        <${Button} kind=${on ? "plain" : "main"} size="large" onClick=${() => set(!on, false)}>${t(on ? "duty.end" : day.courier.value?.break_since ? "duty.resume" : "duty.begin")}<//>
        <${Shift} day=${day} />
        <section class="app-part">
          <h3>${t("place.title")}</h3>
          <p class="small">${t(tracker.awake.value ? "place.awake" : "place.about")}</p>
          <${PhoneApp} day=${day} />
        </section>
        <section class="app-part">
          <h3>${t("look.title")}</h3>
          <div class="app-themes" role="group" aria-label=${t("look.title")}>
            ${["auto", "light", "dark"].map(
              theme =>
                html`<button type="button" class="button" aria-pressed=${String(wanted.value === theme)} onClick=${() => choose("theme", theme)}>${t(`look.${theme}`)}</button>`,
            )}
          </div>
          <${Button} kind="quiet" onClick=${() => choose("lang", other)}><span lang=${other}>${t("look.other")}</span><//>
        </section>
        ${day.own && html`<${Button} kind="danger" onClick=${() => leave(day)}>${t("menu.leave")}<//>`}
      </div>
    <//>
  `;
}

/** @param {import("./day.js").Day} day */
async function leave(day) {
  await call("DELETE", "/session").catch(() => {});
  day.leave();
}

/** @param {{day: import("./day.js").Day}} props */
function Shift({ day }) {
  const now = day.now.value;
  const next = day.shifts.value.find(s => Date.parse(s.end) > now);
  if (!next) return null;
  const [from, to] = [Date.parse(next.start), Date.parse(next.end)];
  return html`<p class="num">${from > now ? t("duty.next", { time: span(from, to, { lang }) }) : t("duty.until", { time: clock(to, { lang }) })}</p>`;
}

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
