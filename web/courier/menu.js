import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { clock, span } from "../parts/time.js";
import { html } from "../vendor/preact.js";
import { duty } from "./act.js";
import { atHome, offered } from "./install.js";
import { choose, wanted } from "./look.js";
import { PhoneApp } from "./phone.js";
import { ask, askable } from "./remind.js";

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
          ${askable() && html`<${Button} icon="bell" onClick=${() => ask().then(close)}>${t("place.remind")}<//>`}
          <${PhoneApp} day=${day} />
        </section>
        <${Home} />
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

/** How to get the app onto the home screen: Android asks when told to, on an iPhone the courier does it himself. */
function Home() {
  const apple = /iPhone|iPad/.test(navigator.userAgent);
  if (atHome() || !(apple || offered.value)) return null;
  return html`
    <section class="app-part">
      <h3>${t("home.title")}</h3>
      <p class="small">${t(apple ? "home.apple" : "home.text")}</p>
      ${!apple && html`<${Button} icon="home" onClick=${() => offered.value.prompt()}>${t("home.add")}<//>`}
    </section>
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
