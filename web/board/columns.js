import { lang, t } from "../i18n/index.js";
import { Icon } from "../parts/icon.js";
import { StatusMark } from "../parts/status-mark.js";
import { clock, daysAway, shortDate } from "../parts/time.js";
import { html } from "../vendor/preact.js";
import { atRisk, expected, lateness } from "./groups.js";
import { route } from "./route.js";

/** @typedef {import("#api").components["schemas"]["Order"]} Order */

/** A time of day, with the day unless it is today. @param {number} at @param {number} now @param {string} [zone] */
export function when(at, now, zone) {
  if (!Number.isFinite(at)) return "";
  const where = { lang, zone };
  return daysAway(at, now, where) === 0 ? clock(at, where) : `${shortDate(at, where)} ${clock(at, where)}`;
}

/** So many minutes too late, in words. @param {number} minutes */
export function tooLate(minutes) {
  if (minutes >= 60 * 24) return t("late.days", { n: Math.floor(minutes / 60 / 24) });
  return minutes >= 60 ? t("late.hours", { h: Math.floor(minutes / 60), m: minutes % 60 }) : t("late.minutes", { m: minutes });
}

/** How late an order is, in words. @param {Order} order @param {number} now */
export function lateWord(order, now) {
  const minutes = lateness(order, now);
  if (minutes) return tooLate(minutes);
  return atRisk(order, now) ? t("late.risk") : "";
}

/**
 * The columns of the list.
 * @param {import("./app.js").Props} props @returns {import("../parts/table.js").Column<Order>[]}
 */
export function columns({ board, commands }) {
  const now = board.now.value;
  const done = route.value.group === "done";
  const rows = board.rows.value;
  const dated = [rows[0], rows.at(-1)].some(
    o => o && daysAway(Date.parse((done ? o.delivered_at : o.promised_at) ?? "") || now, now, { lang, zone: o.timezone }),
  );
  const hidden = narrow.matches ? crowded(Boolean(route.value.order), dated, done) : [];
  const selected = board.selected.value;
  const box = (/** @type {Order} */ o) => html`
    <label class="box" onClick=${(/** @type {Event} */ e) => e.stopPropagation()}><input type="checkbox" tabindex="-1" checked=${selected.has(o.id)} aria-label=${t("orders.select", { number: o.number ?? "" })}
      onClick=${(/** @type {MouseEvent} */ e) => {
        board.cursor.value = o.id;
        if (e.shiftKey) commands.range();
        else commands.toggle(o.id);
      }} /><${Icon} name="check" /></label>`;
  /** @type {import("../parts/table.js").Column<Order>[]} */
  const all = [
    { key: "box", title: "", width: "24px", cell: box },
    { key: "mark", title: "", width: "20px", cell: o => html`<${StatusMark} status=${o.exception ? "failed" : o.status} bare />` },
    { key: "number", title: t("column.number"), width: "108px", cell: o => html`<span class="num">${o.number}</span>` },
    { key: "customer", title: t("column.customer"), width: "minmax(0, 1.2fr)", cell: o => html`<span dir="auto">${o.customer?.name}</span>` },
    { key: "address", title: t("column.address"), width: "minmax(0, 1.5fr)", cell: o => html`<span dir="auto">${o.dropoff?.address}</span>` },
    { key: "courier", title: t("column.courier"), width: "minmax(0, 0.8fr)", cell: o => html`<span dir="auto">${carriedBy(board, o)}</span>` },
    {
      key: "promised",
      title: t("column.promised"),
      width: dated ? "104px" : "62px",
      end: true,
      cell: o => when(Date.parse(o.promised_at ?? ""), now, o.timezone),
    },
    {
      key: "expected",
      title: t(done ? "fact.delivered" : "column.expected"),
      width: dated ? "104px" : "62px",
      end: true,
      cell: o => when(Date.parse(o.delivered_at ?? "") || expected(o), now, o.timezone),
    },
    {
      key: "late",
      title: "",
      width: "80px",
      end: true,
      cell: o => html`<span class=${lateness(o, now) ? "late-mark" : "risk-mark"}>${lateWord(o, now)}</span>`,
    },
  ];
  return all.filter(c => !hidden.includes(c.key));
}

const narrow = matchMedia("(width < 1500px)");

/** What there is no room for beside a drawer, or days. @param {boolean} drawer @param {boolean} dated @param {boolean} done */
const crowded = (drawer, dated, done) => [...(drawer || dated ? ["customer"] : []), ...(drawer && dated ? [done ? "promised" : "expected"] : [])];

/** @param {import("./board.js").Board} board @param {Order} order */
export const carriedBy = (board, order) => (order.shipment ? order.shipment.carrier.toUpperCase() : board.nameOf(order.courier_id));
