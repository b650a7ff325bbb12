import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { Empty } from "../parts/notice.js";
import { html } from "../vendor/preact.js";
import { lateWord } from "./columns.js";
import { heard, silent } from "./couriers.js";
import { atRisk, lateness } from "./groups.js";
import { go } from "./route.js";

/** @typedef {{id: string, kind: "failed"|"exception"|"silent"|"late"|"risk", order?: import("./groups.js").Order, courier?: import("./board.js").Courier, urgent: number}} Alert */

const rank = { failed: 0, exception: 1, silent: 2, late: 3, risk: 4 };

/** What somebody has to look at, the most urgent first. @param {import("./board.js").Board} board @returns {Alert[]} */
export function alertsOf(board) {
  board.changed.value;
  const now = board.now.value;
  /** @type {Alert[]} */
  const found = [];
  for (const order of board.orders.values()) {
    const late = lateness(order, now);
    const kind =
      order.status === "delivery_failed"
        ? "failed"
        : order.exception && order.status !== "delivered"
          ? "exception"
          : late
            ? "late"
            : atRisk(order, now)
              ? "risk"
              : undefined;
    if (kind) found.push({ id: order.id, kind, order, urgent: late });
  }
  for (const courier of board.couriers.values()) if (silent(courier, now)) found.push({ id: courier.id, kind: "silent", courier, urgent: 0 });
  return found.sort((a, b) => rank[a.kind] - rank[b.kind] || b.urgent - a.urgent);
}

/** The queue of alerts, each with its one action. @param {import("./app.js").Props} props */
export function Alerts({ board, commands }) {
  const alerts = alertsOf(board);
  return html`
    <section class="alerts" aria-label=${t("rail.alerts")}>
      <h1>${t("rail.alerts")}</h1>
      ${alerts.length === 0 && html`<${Empty} icon="check" title=${t("alerts.empty")}>${t("alerts.empty.text")}<//>`}
      <ul>
        ${alerts.map(
          a => html`
            <li key=${a.id} class=${`alert ${a.kind}`}>
              <${Icon} name=${a.kind === "silent" ? "offline" : a.kind === "late" || a.kind === "risk" ? "clock" : "bad"} />
              <span class="strong">${t(`alert.${a.kind}`)}</span>
              <span class="alert-what" dir="auto">${a.order ? `${a.order.number} · ${a.order.dropoff?.address ?? a.order.customer?.name ?? ""}` : a.courier?.name}</span>
              <span class="small late-mark num">${a.order ? (a.kind === "exception" ? a.order.exception?.detail || a.order.exception?.code : lateWord(a.order, board.now.value)) : a.courier && heard(a.courier, board.now.value)}</span>
              ${action(a, commands)}
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

/** @param {Alert} a @param {import("./commands.js").Commands} commands */
function action(a, commands) {
  if (a.courier?.phone) return html`<${Button} icon="phone" href=${`tel:${a.courier.phone}`}>${t("courier.call")}<//>`;
  if (a.courier) return html`<${Button} onClick=${() => go({ view: "couriers", courier: a.id, order: "" })}>${t("alert.look")}<//>`;
  const waits = a.order && !a.order.courier_id && !a.order.shipment && ["created", "confirmed"].includes(a.order.status);
  if (waits) return html`<${Button} icon="people" onClick=${() => commands.assign([a.id])}>${t("command.assign")}<//>`;
  return html`<${Button} onClick=${() => commands.show(a.id)}>${t("alert.look")}<//>`;
}
