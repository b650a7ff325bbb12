// Which step comes next, and which stops are left, with what still waits to be sent. Pure.
import { ended, inCustody } from "../parts/status.js";

/** @typedef {import("#api").components["schemas"]["Order"]} Order */
/** @typedef {import("./send.js").Entry} Entry */
/** @typedef {"pickup"|"dropoff"|"return"} Kind */
/** @typedef {{amount: number, currency: string}} Money */
/**
 * @typedef {{id: string, order: Order, kind: Kind, status: string, address?: string, location?: {lat: number, lon: number},
 *   window?: {from?: string, to?: string}, eta?: string, done: boolean}} Stop
 */

/** @type {Record<string, string>} */
const next = {
  at_pickup: "picked_up",
  picked_up: "out_for_delivery",
  in_transit: "out_for_delivery",
  out_for_delivery: "at_dropoff",
  at_dropoff: "delivered",
  delivery_failed: "out_for_delivery",
  returning: "returned",
};

/** The status that the courier's button leads to. @param {Order} order @param {string} status @returns {string | undefined} */
export const stepAfter = (order, status) => (status === "assigned" ? (order.pickup ? "at_pickup" : "picked_up") : next[status]);

/** Whether the hand-over can be given up, or the goods be taken back, in a status. */
export const canFail = (/** @type {string} */ status) => ["out_for_delivery", "at_dropoff"].includes(status);
export const canReturn = (/** @type {string} */ status) => inCustody(status) && !["returning", "ready_for_pickup"].includes(status);

/** The status with the steps that wait. @param {Order} order @param {Entry[]} entries */
export const statusOf = (order, entries) => entries.findLast(e => e.kind === "step" && e.order === order.id && !e.refused)?.body.status ?? order.status;

/**
 * The stops in their order: those of the route, then those of orders that it doesn't name (yet).
 * @param {{stops: any[]} | undefined} route @param {Map<string, Order>} orders @param {Entry[]} entries @returns {Stop[]}
 */
export function stopsOf(route, orders, entries) {
  /** @type {Stop[]} */
  const stops = [];
  for (const s of route?.stops ?? []) {
    const order = orders.get(s.order_id);
    if (!order) continue;
    const status = statusOf(order, entries);
    if (status === "returning" && s.kind === "dropoff") continue;
    stops.push({ ...s, id: `${s.kind}:${s.order_id}`, order, status, done: s.kind === "pickup" ? ended(status) || inCustody(status) : ended(status) });
  }
  for (const order of orders.values()) {
    const status = statusOf(order, entries);
    if (ended(status) || stops.some(s => s.order === order && !s.done)) continue;
    stops.push(stopFor(order, status));
  }
  return stops;
}

/** @param {Order} order @param {string} status @returns {Stop} */
function stopFor(order, status) {
  const kind = status === "returning" ? "return" : inCustody(status) ? "dropoff" : "pickup";
  const place = kind === "dropoff" ? order.dropoff : (order.pickup ?? order.dropoff);
  const to = kind === "dropoff" ? order.promised_at : order.ready_at;
  return { id: `${kind}:${order.id}`, order, kind, status, address: place.address, location: place.location, window: { to }, done: false };
}

/** What the customer still has to pay: for the goods and for the delivery. @param {Order} order @returns {Money | undefined} */
export function cashOf({ payment }) {
  const { due, delivery, method, received } = payment ?? {};
  const amount = (due?.amount ?? 0) + (delivery?.amount ?? 0);
  return amount > 0 && method !== "prepaid" && !received ? { amount, currency: (due ?? delivery)?.currency ?? "" } : undefined;
}

/**
 * The day so far: what was delivered since midnight, and the money that was collected.
 * @param {Iterable<Order>} orders @param {Entry[]} entries @param {number} midnight
 */
export function dayOf(orders, entries, midnight) {
  const sent = new Map(entries.filter(e => e.kind === "step" && !e.refused && e.body.status === "delivered").map(e => [e.order, e.body.received]));
  const done = [...orders].filter(o => sent.has(o.id) || (o.status === "delivered" && Date.parse(o.delivered_at ?? "") >= midnight));
  /** @type {Record<string, number>} */
  const cash = {};
  for (const { id, payment } of done) {
    const got = payment?.received ?? sent.get(id);
    if (got?.amount) cash[got.currency] = (cash[got.currency] ?? 0) + got.amount;
  }
  return { delivered: done.length, cash };
}
