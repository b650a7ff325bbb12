import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { Empty } from "../parts/notice.js";
import { ended } from "../parts/status.js";
import { html } from "../vendor/preact.js";
import { act, moveTo } from "./actions.js";
import { lateWord, tooLate } from "./columns.js";
import { heard, lost, silent } from "./contact.js";
import { exceptionName } from "./drawer-facts.js";
import { atRisk, lateness } from "./groups.js";
import { go } from "./route.js";

const MINUTE = 60_000;
const SHOWN = 200; // alerts on the page; the rest moves up

/**
 * @typedef {"incident"|"failed"|"no_taker"|"exception"|"silent"|"late"|"carrier"|"webhook"|"outbox"|"risk"} Kind the most urgent first
 * @typedef {{id: string, kind: Kind, urgent: number, order?: import("./groups.js").Order, courier?: import("./board.js").Courier,
 *   trouble?: import("./troubles.js").Trouble}} Alert
 */

/** @type {Kind[]} */
const kinds = ["incident", "failed", "no_taker", "exception", "silent", "late", "carrier", "webhook", "outbox", "risk"];

/** @type {Partial<Record<Kind, string>>} */
const icons = { silent: "offline", late: "clock", risk: "clock", carrier: "box", webhook: "go", outbox: "offline" };

/**
 * Why somebody has to look at an order, if so.
 * @param {import("./groups.js").Order} order @param {number} now @param {boolean} [incident] whether one is open
 * @returns {Kind | undefined}
 */
export function kindOf(order, now, incident) {
  if (incident) return "incident";
  if (order.status === "delivery_failed") return "failed";
  if (order.exception && !ended(order.status)) return order.exception.code === "no_taker" ? "no_taker" : "exception";
  if (lateness(order, now)) return "late";
  return atRisk(order, now) ? "risk" : undefined;
}

/** What somebody has to look at, the most urgent first. @param {import("./board.js").Board} board @returns {Alert[]} */
export function alertsOf(board) {
  board.changed.value;
  const now = board.now.value;
  /** @type {Alert[]} */
  const found = board.troubles.value.map(trouble => ({ id: trouble.id, kind: trouble.kind, trouble, urgent: trouble.minutes }));
  for (const order of board.orders.values()) {
    const kind = kindOf(order, now, board.incidents.has(order.id));
    if (kind) found.push({ id: order.id, kind, order, urgent: lateness(order, now) });
  }
  for (const courier of board.couriers.values()) if (silent(courier, now)) found.push({ id: courier.id, kind: "silent", courier, urgent: 0 });
  return found.sort((a, b) => kinds.indexOf(a.kind) - kinds.indexOf(b.kind) || b.urgent - a.urgent);
}

/** The queue of alerts, each with its one action. @param {import("./app.js").Props} props */
export function Alerts(props) {
  const { board } = props;
  const alerts = alertsOf(board);
  return html`
    <section class="alerts" aria-label=${t("rail.alerts")}>
      <h1>${t("rail.alerts")}</h1>
      ${alerts.length === 0 && html`<${Empty} icon="check" title=${t("alerts.empty")}>${t("alerts.empty.text")}<//>`}
      <ul>
        ${alerts.slice(0, SHOWN).map(
          a => html`
            <li key=${a.id} class=${`alert ${a.kind}`}>
              <${Icon} name=${icons[a.kind] ?? "bad"} />
              <span class="strong">${t(`alert.${a.kind}`)}</span>
              <span class="alert-what" dir="auto">${a.order ? `${a.order.number} · ${a.order.dropoff?.address ?? a.order.customer?.name ?? ""}` : (a.courier ?? a.trouble)?.name}</span>
              <span class=${`small num ${a.kind === "risk" ? "risk-mark" : "late-mark"}`}>${detail(a, board)}</span>
              <${Action} alert=${a} ...${props} />
            </li>
          `,
        )}
      </ul>
      ${alerts.length > SHOWN && html`<p class="quiet">${t("alerts.more", { n: alerts.length - SHOWN })}</p>`}
    </section>
  `;
}

/** @param {Alert} a @param {import("./board.js").Board} board */
function detail({ kind, order, courier, trouble }, board) {
  const now = board.now.value;
  if (courier) return lost(courier) ? t(`dropped.${courier.last_contact?.dropped_reason}`) : heard(courier, now);
  if (trouble) return trouble.minutes ? t("alert.minutes", { n: trouble.minutes }) : "";
  if (!order) return "";
  if (kind === "exception") return order.exception && exceptionName(order.exception);
  if (kind === "risk")
    return t("late.up_to", { late: tooLate(Math.ceil((Date.parse(order.eta?.latest ?? "") - Date.parse(order.promised_at ?? "")) / MINUTE)) });
  return lateWord(order, now);
}

/** The one thing to do about it. @param {import("./app.js").Props & {alert: Alert}} props */
function Action({ alert: { id, kind, order, courier, trouble }, board, session, commands }) {
  const look = (/** @type {import("./route.js").Route} */ to) => html`<${Button} onClick=${() => go({ order: "", courier: "", ...to })}>${t("alert.look")}<//>`;
  if (trouble?.kind === "webhook") return look({ view: "settings", tab: "webhooks", id });
  if (trouble?.kind === "carrier") return look({ view: "", q: trouble.name });
  if (trouble) return html`<${Button} href="/metrics">${t("alert.look")}<//>`;
  if (order && kind !== "incident" && waits(order) && session.can("assignCourier"))
    return html`<${Button} icon="people" onClick=${() => commands.assign([id])}>${t("command.assign")}<//>`;
  if (order && kind === "failed" && session.can("updateOrderStatus"))
    return html`<${Button} icon="again" onClick=${() => act(board, order, moveTo("out_for_delivery"), t("mark.out_for_delivery"))}>${t("alert.retry")}<//>`;
  const phone = (courier ?? (kind === "late" ? board.couriers.get(order?.courier_id ?? "") : undefined))?.phone;
  if (phone) return html`<${Button} icon="phone" href=${`tel:${phone}`}>${t("courier.call")}<//>`;
  if (courier) return look({ view: "couriers", courier: id });
  return html`<${Button} onClick=${() => commands.show(id)}>${t("alert.look")}<//>`;
}

/** Whether an order has nobody. @param {import("./groups.js").Order} order */
const waits = order => !order.courier_id && !order.shipment && ["created", "confirmed"].includes(order.status);
