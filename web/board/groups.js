// How orders are grouped, filtered and sorted; pure.
import { ended } from "../parts/status.js";

/** @typedef {import("#api").components["schemas"]["Order"]} Order */
/** @typedef {"waiting"|"assigned"|"moving"|"ready"|"trouble"|"done"} Group */

/** The groups of the list, in the order of an order's life. @type {Group[]} */
export const groups = ["waiting", "assigned", "moving", "ready", "trouble", "done"];

/** @type {Record<string, Group>} */
const byStatus = {
  created: "waiting",
  confirmed: "waiting",
  assigned: "assigned",
  at_pickup: "assigned",
  picked_up: "moving",
  in_transit: "moving",
  out_for_delivery: "moving",
  at_dropoff: "moving",
  ready_for_pickup: "ready",
  delivery_failed: "trouble",
  returning: "trouble",
};

/** @param {Order} order @returns {Group} */
export function groupOf(order) {
  if (ended(order.status)) return "done";
  return order.exception ? "trouble" : (byStatus[order.status] ?? "waiting");
}

/** The statuses of a group's orders. @param {string} group */
export const statusesOf = group => Object.keys(byStatus).filter(status => byStatus[status] === group);

const MINUTE = 60_000;

/** @type {WeakMap<Order, {created: number, updated: number, promised: number, expected: number, latest: number}>} */
const read = new WeakMap();

/** An order's times, milliseconds; kept, as they are looked at for thousands again and again. @param {Order} order */
function times(order) {
  let known = read.get(order);
  if (!known) {
    const at = (/** @type {string | undefined} */ time) => Date.parse(time ?? "");
    const { created_at, updated_at, promised_at, eta } = order;
    known = { created: at(created_at), updated: at(updated_at), promised: at(promised_at), expected: at(eta?.eta), latest: at(eta?.latest) };
    read.set(order, known);
  }
  return known;
}

/** When the order is expected, milliseconds; NaN if unknown. @param {Order} order */
export const expected = order => times(order).expected;

/**
 * By how many minutes an unfinished order is or will be late; 0 if it is on time or has no promise.
 * @param {Order} order @param {number} now
 */
export function lateness(order, now) {
  if (ended(order.status) || !order.promised_at) return 0;
  const will = Math.max(expected(order) || 0, now);
  return Math.max(0, Math.floor((will - times(order).promised) / MINUTE));
}

/** Estimates that know no more than the promise. */
const guesses = ["promised", "default"];

/** Whether the order may well become late: the end of its window is after the promise. @param {Order} order @param {number} now */
export function atRisk(order, now) {
  if (ended(order.status) || !order.promised_at || lateness(order, now) || guesses.includes(order.eta?.method ?? "")) return false;
  return times(order).latest > times(order).promised;
}

/** Text in the form in which it is searched. @param {string} text */
export const fold = text =>
  text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replaceAll("ё", "е")
    .replace(/[-\s]+/g, " ")
    .trim();

/** @type {WeakMap<Order, string>} */
const folded = new WeakMap();

/** Everything that a search looks at; kept, as it takes long for thousands. @param {Order} order */
export function searched(order) {
  let text = folded.get(order);
  if (text === undefined) {
    const c = order.customer;
    const parts = [
      order.number,
      order.number?.replaceAll("-", ""),
      order.external_id,
      c?.name,
      c?.phone,
      order.dropoff?.address,
      order.pickup?.address,
      order.shipment?.carrier,
      order.shipment?.tracking_number,
    ];
    text = fold(parts.filter(Boolean).join("\n"));
    folded.set(order, text);
  }
  return text;
}

/**
 * What the list shows, in its order: late and promised first.
 * @param {Iterable<Order>} orders
 * @param {{group?: string, q?: string, courier?: string, late?: boolean}} filter @param {number} now
 */
export function listed(orders, { group, q, courier, late }, now) {
  const words = fold(q ?? "")
    .split(" ")
    .filter(Boolean);
  const found = [];
  for (const order of orders) {
    if (group === "failed" ? order.status !== "delivery_failed" : group ? groupOf(order) !== group : ended(order.status)) continue;
    if (courier && order.courier_id !== courier) continue;
    if (late && !lateness(order, now) && !atRisk(order, now)) continue;
    if (words.length && !words.every(w => searched(order).includes(w))) continue;
    found.push(order);
  }
  return found.sort(group === "done" ? newestFirst : promisedFirst);
}

/** @param {Order} order */
const due = order => (order.promised_at ? times(order).promised : times(order).created + 1e10);

/** @param {Order} a @param {Order} b */
const promisedFirst = (a, b) => due(a) - due(b) || (a.id < b.id ? -1 : 1);

/** @param {Order} a @param {Order} b */
const newestFirst = (a, b) => times(b).updated - times(a).updated || (a.id < b.id ? 1 : -1);

/** The size of every group, of what is late and of what was tried in vain. @param {Iterable<Order>} orders @param {number} now */
export function count(orders, now) {
  /** @type {Record<string, number>} */
  const n = { late: 0, failed: 0 };
  for (const g of groups) n[g] = 0;
  for (const order of orders) {
    n[groupOf(order)]++;
    if (order.status === "delivery_failed") n.failed++;
    if (lateness(order, now) || atRisk(order, now)) n.late++;
  }
  return n;
}
