// The sections of the customer's page.
import { lang, t } from "../i18n/index.js";
import { money } from "../parts/money.js";
import { Empty, Notice } from "../parts/notice.js";
import { Progress } from "../parts/progress.js";
import { ended, groupOf } from "../parts/status.js";
import { ago, clock } from "../parts/time.js";
import { TimeWindow } from "../parts/time-window.js";
import { Timeline } from "../parts/timeline.js";
import { html, useLayoutEffect, useState } from "../vendor/preact.js";

/** The operator's logo and name, which a wide logo has in it. @param {{brand: {name?: string, logo?: string}}} props */
export function Brand({ brand }) {
  const [wide, setWide] = useState(false);
  if (!brand.name && !brand.logo) return null;
  const measure = (/** @type {Event & {currentTarget: HTMLImageElement}} */ { currentTarget: logo }) => setWide(logo.naturalWidth > 2 * logo.naturalHeight);
  return html`
    <header class="brand">
      ${brand.logo && html`<img src=${brand.logo} alt="" height="28" onLoad=${measure} />`}
      ${brand.name && html`<span class=${wide ? "unseen" : "small strong"}>${brand.name}</span>`}
    </header>
  `;
}

/** A page with only a message. @param {{boot: import("../start.js").Boot, icon: string, title: string, text: string, action?: any}} props */
export function Alone({ boot, icon, title, text, action }) {
  useLayoutEffect(() => {
    document.title = title;
  }, [title]);
  return html`
    <div class="page mapless">
      <main class="sheet"><${Brand} brand=${boot.brand} /><${Empty} icon=${icon} title=${title} action=${action}>${text}<//></main>
    </div>
  `;
}

/** The loading skeleton. @param {{boot: import("../start.js").Boot}} props */
export const Bones = ({ boot }) => html`
  <div class="page" aria-busy="true">
    <div class="place bare map"></div>
    <main class="sheet">
      <${Brand} brand=${boot.brand} />
      <section class="head">
        <div class="bone bone-headline"></div>
        <div class="bone bone-time"></div>
        <div class="bone bone-steps"></div>
      </section>
      <div class="card bone-card"></div>
      <div class="card bone-card"></div>
    </main>
  </div>
`;

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

/** The timeline, including the parcel's scans. @param {{store: import("./store.js").Store, order: import("./story.js").Order, zone?: string}} props */
export function History({ store, order, zone }) {
  const entries = [...changes(store.timeline.value, order), ...scans(order)].reverse().sort((a, b) => b.at - a.at); // carriers tell no seconds
  if (!entries.length) return null;
  return html`<section class="card"><h2>${t("history.title")}</h2><${Timeline} entries=${entries} now=${store.now.value} zone=${zone} /></section>`;
}

/** @param {import("./store.js").Event[]} events @param {import("./story.js").Order} order @returns {import("../parts/timeline.js").Entry[]} */
function changes(events, order) {
  const taken = order.shipment ? "history.picked_up.parcel" : "history.picked_up";
  return events.flatMap(event => {
    const at = Date.parse(event.occurred_at);
    if (event.type === "courier.near") return [{ id: event.id, at, text: t("history.near"), group: "with" }];
    if (event.type === "order.late") return [{ id: event.id, at, text: t("history.late"), group: "idle" }];
    if (event.type !== "order.created" && (event.type !== "order.status_changed" || event.status === event.previous_status)) return [];
    return [{ id: event.id, at, text: t(event.status === "picked_up" ? taken : `history.${event.status}`), group: groupOf(event.status ?? "") }];
  });
}

/** @param {import("./story.js").Order} order @returns {import("../parts/timeline.js").Entry[]} */
const scans = order =>
  (order.shipment?.events ?? [])
    .filter(e => e.kind === "scan" && !e.retracted && e.text)
    .map(e => ({ id: e.id, at: Date.parse(e.occurred_at), text: e.text ?? "", detail: e.city, group: e.status ? groupOf(e.status) : "idle" }));

/** The ordered items, the pickup and the drop-off. @param {{order: import("./story.js").Order}} props */
export function Items({ order }) {
  const items = order.items ?? [];
  const due = order.payment?.due;
  if (!items.length && !order.total && !due && !order.pickup?.address && !order.dropoff.address) return null;
  return html`
    <section class="card">
      ${items.length > 0 && html`<h2>${t("items.title")}</h2>`}
      <ul class="items">
        ${items.map(
          item => html`
            <li>
              <span class="quiet num">${item.quantity}\u00a0×</span><span dir="auto">${item.name}</span>
              <span class="num">${item.price && money({ ...item.price, amount: item.price.amount * item.quantity }, lang)}</span>
            </li>
          `,
        )}
        ${order.total && html`<li class="total strong"><span></span><span>${t("items.total")}</span><span class="num">${money(order.total, lang)}</span></li>`}
        ${due && due.amount > 0 && !ended(order.status) && html`<li class="strong"><span></span><span>${t("items.due")}</span><span class="num">${money(due, lang)}</span></li>`}
      </ul>
      <dl class="places">
        ${order.pickup?.address && html`<dt>${t("page.from")}</dt><dd dir="auto">${order.pickup.address}</dd>`}
        ${order.dropoff.address && html`<dt>${t("page.to")}</dt><dd dir="auto">${order.dropoff.address}</dd>`}
      </dl>
    </section>
  `;
}
