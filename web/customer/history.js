import { t } from "../i18n/index.js";
import { groupOf } from "../parts/status.js";
import { Timeline } from "../parts/timeline.js";
import { html } from "../vendor/preact.js";

/** The timeline, including the parcel's scans. @param {{store: import("./store.js").Store, order: import("./story.js").Order, zone?: string}} props */
export function History({ store, order, zone }) {
  const entries = [...changes(store.timeline.value), ...scans(order)].sort((a, b) => b.at - a.at);
  if (!entries.length) return null;
  return html`<section class="card"><h2>${t("history.title")}</h2><${Timeline} entries=${entries} now=${store.now.value} zone=${zone} /></section>`;
}

/** @param {import("./store.js").Event[]} events @returns {import("../parts/timeline.js").Entry[]} */
export function changes(events) {
  return events.flatMap(event => {
    const at = Date.parse(event.occurred_at);
    if (event.type === "courier.near") return [{ id: event.id, at, text: t("history.near"), group: "with" }];
    if (event.type === "order.late") return [{ id: event.id, at, text: t("history.late"), group: "idle" }];
    if (event.type !== "order.created" && (event.type !== "order.status_changed" || event.status === event.previous_status)) return [];
    return [{ id: event.id, at, text: t(`history.${event.status}`), group: groupOf(event.status ?? "") }];
  });
}

/** @param {import("./story.js").Order} order @returns {import("../parts/timeline.js").Entry[]} */
const scans = order =>
  (order.shipment?.events ?? [])
    .filter(e => e.kind === "scan" && !e.retracted && e.text)
    .map(e => ({ id: e.id, at: Date.parse(e.occurred_at), text: e.text ?? "", detail: e.city, group: e.status ? groupOf(e.status) : "idle" }));
