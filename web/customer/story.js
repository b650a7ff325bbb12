// The texts that a customer sees for an order; pure, so that every text can be tested.
import { has, t } from "../i18n/index.js";
import { ended } from "../parts/status.js";

/**
 * An order; what a handover asks for comes with the answers that customers get.
 * @typedef {import("#api").components["schemas"]["Order"] & {pin?: string, proof_required?: string[]}} Order
 */
/** @typedef {import("#api").components["schemas"]["Courier"]} Courier */
/** @typedef {import("#api").components["schemas"]["Estimate"]} Estimate */

/**
 * @typedef {object} Facts
 * @property {Order} order
 * @property {Partial<Courier>} [courier]
 * @property {Estimate} [eta]
 * @property {boolean} [near]
 * @property {string} [city]  where the parcel was seen last
 * @property {number} now     milliseconds, by the server's clock
 *
 * @typedef {object} Story
 * @property {string} headline
 * @property {string} [lead]
 * @property {string} [late]  a sentence that comes first
 * @property {{earliest: number, latest: number, days?: boolean, happened?: boolean}} [when]
 * @property {string[]} steps
 * @property {number} at      the step under way; -1: there are none to show
 * @property {boolean} stopped progress has stopped
 */

const MINUTE = 60_000;
const LATE = 5 * MINUTE;
const WIDE = 6 * 60 * MINUTE; // from here on a window is told in days

/** Whether a carrier brings it. @param {Order} order */
export const isParcel = order => Boolean(order.shipment);

/** @param {Facts} facts @returns {Story} */
export function story(facts) {
  const { order } = facts;
  const late = lateness(facts);
  return {
    ...sentences(facts),
    late: late ? t("story.late") : undefined,
    when: when(facts),
    steps: steps(order).map(step => t(`step.${step}`)),
    at: stepOf(order),
    stopped: order.status === "delivery_failed",
  };
}

/** @param {Facts} facts */
function sentences({ order, courier, near, city }) {
  const parcel = isParcel(order);
  const carrier = order.shipment ? carrierName(order.shipment.carrier) : "";
  const name = courier?.name ?? "";
  const values = { name, carrier, city: city ?? "", address: order.shipment?.pickup?.address ?? order.dropoff.address ?? "", n: order.attempts ?? 0 };
  const key = keyOf(order, parcel);
  const variants = [
    near && order.status === "out_for_delivery" && name && "near",
    name && courier?.vehicle === "foot" && "foot",
    name && "named",
    order.status === "delivery_failed" && values.n > 1 && "again",
    parcel && city && "city",
    values.address && "address",
  ];
  return { headline: said(key, variants, values) ?? "", lead: said(`${key}.lead`, variants, values) };
}

/** The text of a key, in the first variant that there is. @param {string} key @param {(string | false | undefined)[]} variants @param {Record<string, string | number>} values */
function said(key, variants, values) {
  for (const variant of variants) if (variant && has(`${key}.${variant}`)) return t(`${key}.${variant}`, values);
  return has(key) ? t(key, values) : undefined;
}

/** @param {Order} order @param {boolean} parcel */
function keyOf(order, parcel) {
  const phase = order.shipment?.phase;
  if (parcel && ["created", "confirmed", "assigned", "at_pickup"].includes(order.status)) return `parcel.phase.${phase}`;
  const own = `parcel.${order.status}`;
  return parcel && has(own) ? own : `story.${order.status}`;
}

/** @param {string} id */
export const carrierName = id => (has(`carrier.${id}`) ? t(`carrier.${id}`) : id.charAt(0).toUpperCase() + id.slice(1));

/** Whether nothing is under way, so there is no time to show. @param {string} status */
const timeless = status => ended(status) || ["at_dropoff", "ready_for_pickup", "delivery_failed", "returning"].includes(status);

/** @param {Facts} facts @returns {Story["when"]} */
function when({ order, eta, now }) {
  if (order.status === "delivered") {
    const at = Date.parse(order.delivered_at ?? order.updated_at);
    return { earliest: at, latest: at, happened: true };
  }
  if (!eta || timeless(order.status) || ["rejected", "cancelled"].includes(order.shipment?.phase ?? "")) return undefined;
  const [earliest, latest] = [Date.parse(eta.earliest), Date.parse(eta.latest)];
  const days = isParcel(order) || latest - Math.max(earliest, now) > WIDE;
  return { earliest: days ? Math.max(earliest, Math.min(now, latest)) : earliest, latest, days };
}

/** Whether it is later than promised. @param {Facts} facts */
function lateness({ order, eta, now }) {
  if (!order.promised_at || timeless(order.status)) return false;
  const promised = Date.parse(order.promised_at);
  return Math.max(now, eta ? Date.parse(eta.eta) : 0) > promised + (isParcel(order) ? 24 * 60 * MINUTE : LATE);
}

/** @param {Order} order */
const steps = order => (isParcel(order) ? ["accepted", "sent", "near_you", "received"] : ["accepted", "preparing", "on_the_way", "delivered"]);

/** @param {Order} order */
function stepOf(order) {
  const { status } = order;
  if (["returning", "returned", "cancelled", "failed"].includes(status)) return -1;
  if (status === "delivered") return 4;
  if (isParcel(order))
    return ["out_for_delivery", "at_dropoff", "ready_for_pickup", "delivery_failed"].includes(status)
      ? 2
      : ["picked_up", "in_transit"].includes(status)
        ? 1
        : 0;
  if (status === "created") return 0;
  return ["confirmed", "assigned", "at_pickup"].includes(status) ? 1 : 2;
}

// Statuses that start a new delivery attempt.
const AFRESH = new Set(["assigned", "delivery_failed", "returning"]);

/** Whether the courier has come near in the current attempt. @param {import("#api").components["schemas"]["Event"][]} timeline */
export function isNear(timeline) {
  const event = timeline.findLast(e => e.type === "courier.near" || (e.type === "order.status_changed" && AFRESH.has(e.status ?? "")));
  return event?.type === "courier.near";
}
