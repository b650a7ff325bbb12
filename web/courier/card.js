import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { metres } from "../parts/map/glide.js";
import { money } from "../parts/money.js";
import { Notice } from "../parts/notice.js";
import { ago, clock, daysAway, shortDate, span } from "../parts/time.js";
import { callLink } from "../start.js";
import { html } from "../vendor/preact.js";
import { cashOf } from "./steps.js";

/** @typedef {import("./steps.js").Stop} Stop */

/** The next stop. @param {import("./app.js").Props & {stop: Stop, problem: () => void}} props */
export function Card({ day, tracker, stop, problem }) {
  const { order, kind } = stop;
  const now = day.now.value;
  const far = stop.location && tracker.last.value ? metres(tracker.last.value, stop.location) : undefined;
  const due = kind === "dropoff" ? cashOf(order) : undefined;
  const to = Date.parse(stop.window?.to ?? "");
  const late = to < now;
  const phone = order.customer?.phone;
  const call = kind === "dropoff" ? (callLink(day.boot.call, order, "courier") ?? (phone && `tel:${phone}`)) : undefined;
  const where = kind === "dropoff" ? order.dropoff : order.pickup;
  const notes = [where?.notes, kind === "dropoff" && order.instructions, order.notes].filter(Boolean);
  return html`
    <section class="app-card" aria-label=${t(`stop.${kind}`)}>
      <header class="app-card-head">
        <h1><${Icon} name=${sign(kind)} /><span>${t(`stop.${kind}`)}</span></h1>
        <span class="num quiet">${order.number}</span>
      </header>
      <div class="app-when">
        <p class=${`app-window num ${late ? "late-mark" : ""}`}>${windowOf(stop, now, order.timezone)}</p>
        ${far !== undefined && html`<p class="app-far num">${distance(far)}</p>`}
      </div>
      ${late && html`<p class="app-late">${t("stop.late", { ago: ago(to, now, { lang }) })}</p>`}
      <p class="app-address" dir="auto">${stop.address ?? t("stop.no_address")}</p>
      ${kind === "dropoff" && order.customer?.name && html`<p class="quiet" dir="auto">${order.customer.name}</p>`}
      ${notes.map(note => html`<p class="app-note" dir="auto"><${Icon} name="note" /><span>${note}</span></p>`)}
      ${due && html`<p class="app-cash"><span>${t("cash.collect")}</span><span class="num">${money(due, lang)}</span></p>`}
      ${kind === "dropoff" && day.mustWait(order) && html`<${Notice} kind="late" title=${t("hand.wait")}>${t("hand.wait.text")}<//>`}
      <${Items} order=${order} />
      <nav class="app-actions">
        ${call && html`<${Button} icon="phone" href=${call}>${t("do.call")}<//>`}
        ${(stop.location || stop.address) && html`<${Button} icon="go" href=${mapLink(stop)}>${t("do.navigate")}<//>`}
        <${Button} icon="bad" onClick=${problem}>${t("do.problem")}<//>
      </nav>
    </section>
  `;
}

/** @param {import("./steps.js").Kind} kind */
export const sign = kind => ({ pickup: "shop", dropoff: "home", return: "back" })[kind];

/** @param {{order: import("./steps.js").Order}} props */
function Items({ order }) {
  const items = order.items ?? [];
  if (!items.length) return null;
  const n = items.reduce((sum, i) => sum + (i.quantity ?? 1), 0);
  return html`
    <details class="app-items">
      <summary>${t("items.count", { n })}</summary>
      <ul>${items.map(i => html`<li><span class="num">${i.quantity ?? 1}</span><span dir="auto">${i.name}</span></li>`)}</ul>
    </details>
  `;
}

/** "14:20–14:50", "by 14:50", "about 14:35". @param {Stop} stop @param {number} now @param {string} [zone] */
export function windowOf({ window, eta }, now, zone) {
  const where = { lang, zone };
  const [from, to, at] = [window?.from, window?.to, eta].map(s => Date.parse(s ?? ""));
  const day = [to, from, at].find(n => n > 0 && daysAway(n, now, where) !== 0);
  const text = to > 0 ? (from > 0 ? span(from, to, where) : t("stop.by", { time: clock(to, where) }))
    : from > 0 ? t("stop.from", { time: clock(from, where) }) : at > 0 ? t("stop.about", { time: clock(at, where) }) : t("stop.any_time"); // biome-ignore format: a table
  return day ? `${shortDate(day, where)}, ${text}` : text;
}

/** @param {number} far metres */
export const distance = far => (far < 950 ? t("map.metres", { n: Math.round(far / 10) * 10 }) : t("map.kilometres", { n: Math.round(far / 100) / 10 }));

/** A link that the phone's own navigation opens. @param {Stop} stop */
export function mapLink({ location, address }) {
  const point = location && `${location.lat},${location.lon}`;
  const apple = /iPhone|iPad|Macintosh/.test(navigator.userAgent);
  if (apple) return `maps:?daddr=${encodeURIComponent(point ?? address ?? "")}`;
  return `geo:${point ?? "0,0"}?q=${encodeURIComponent(point ?? address ?? "")}`;
}
