import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { html } from "../vendor/preact.js";

const LOW = 20; // percent

/** Who is on duty, what waits, and how the phone is. @param {import("./app.js").Props & {menu: () => void}} props */
export function Top({ day, tracker, menu }) {
  const on = day.courier.value?.on_duty;
  const waiting = day.outbox.entries.value.filter(e => e.who === day.id && !e.refused).length;
  const battery = tracker.battery.value ?? 100;
  return html`
    <header class="app-top">
      <button type="button" class=${`app-duty ${on ? "on" : ""}`} onClick=${menu}>
        <${Icon} name=${on ? "with" : "idle"} /><span>${t(on ? "duty.on" : day.courier.value?.break_since ? "duty.break" : "duty.off")}</span>
      </button>
      <p class="app-state" role="status">
        ${waiting > 0 && html`<span class="app-chip late"><${Icon} name="again" />${t("waits", { n: waiting })}</span>`}
        ${waiting === 0 && day.offline.value && html`<span class="app-chip"><${Icon} name="offline" />${t("offline")}</span>`}
        ${battery < LOW && html`<span class="app-chip late num">${t("battery", { n: battery })}</span>`}
      </p>
      <${Button} kind="quiet" icon="set" label=${t("menu.title")} onClick=${menu} />
    </header>
  `;
}
