import { lang, t } from "../i18n/index.js";
import { Notice } from "../parts/notice.js";
import { Progress } from "../parts/progress.js";
import { ago, clock } from "../parts/time.js";
import { TimeWindow } from "../parts/time-window.js";
import { html } from "../vendor/preact.js";

/**
 * The headline: one sentence and one time.
 * @param {{store: import("./store.js").Store, order: import("./story.js").Order, told: import("./story.js").Story, zone?: string}} props
 */
export function Head({ store, order, told, zone }) {
  const now = store.now.value;
  const position = store.position.value;
  return html`
    <section class="head">
      ${told.late && html`<p class="late-word small strong">${told.late}</p>`}
      <h1 aria-live="polite">${told.headline}</h1>
      ${told.when && html`<${TimeWindow} ...${told.when} now=${now} zone=${zone} />`}
      ${told.lead && html`<p class="lead quiet">${told.lead}</p>`}
      ${told.at >= 0 && html`<${Progress} steps=${told.steps} at=${told.at} stopped=${told.stopped} />`}
      ${store.offline && html`<${Notice} kind="offline" live>${t("live.offline", { time: clock(store.lostAt.value, { lang, zone }) })}<//>`}
      ${!store.offline && position?.stale && html`<${Notice} live>${t("live.stale", { ago: ago(Date.parse(position.recorded_at ?? ""), now, { lang }) })}<//>`}
      ${order.pin && html`<${Pin} pin=${order.pin} />`}
    </section>
  `;
}

/** @param {{pin: string}} props */
const Pin = ({ pin }) => html`
  <div class="pin-card">
    <p class="strong">${t("pin.title")}</p>
    <p class="pin-digits num">${pin}</p>
    <p class="small quiet">${t("pin.about")}</p>
  </div>
`;
