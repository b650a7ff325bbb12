// What the phone remembers of the day: it is there at once, also without a network.
import { all, keep, kept, putNewer, within } from "./db.js";

/** @typedef {import("./steps.js").Order} Order */

/** The day as it was known last, if it is that of who used the phone last. @returns {Promise<any>} */
export async function recall() {
  const [id, day, orders] = await Promise.all([kept("who"), kept("day"), all("orders")]);
  return id && day?.courier?.id === id ? { ...day, id, orders } : undefined;
}

/** Keeps the day but for its orders. @param {import("./day.js").Day} day */
export function remember({ route, courier, shifts, asOf, may, own, photoForPIN }) {
  const day = { route: route.value, courier: courier.value, shifts: shifts.value, asOf: asOf.value, may: [...may], own, photoForPIN };
  return keep("day", day).catch(() => {}); // a full disk: it is told when something is added
}

/** Another courier uses the phone; what the one before has not sent stays. @param {string} id */
export const startAnew = id =>
  within(["orders", "kept"], "readwrite", at => {
    at("orders").clear();
    at("kept").delete("day");
    return at("kept").put(id, "who");
  });

/** The server's list, in which nothing becomes older than it is known. @param {Map<string, Order>} known @param {Order[]} list */
export const listed = (known, list) => new Map(list.map(o => [o.id, newer(o, known.get(o.id))]));

/** The known orders with what is newer. @param {Map<string, Order>} known @param {Order[]} orders */
export function updated(known, orders) {
  const news = orders.filter(o => o.version > (known.get(o.id)?.version ?? Number.POSITIVE_INFINITY));
  return news.length ? new Map([...known, ...listed(known, news)]) : known;
}

/** Keeps the server's list in place of what was known. @param {Iterable<string>} known @param {Order[]} orders */
export const store = (known, orders) =>
  within(["orders"], "readwrite", at => {
    const ids = new Set(orders.map(o => o.id));
    for (const id of known) if (!ids.has(id)) at("orders").delete(id);
    putNewer(at("orders"), orders);
    return undefined;
  }).catch(() => {}); // a full disk: it is told when something is added

/** @template {{version: number}} T @param {T} a @param {T | undefined} b */
export const newer = (a, b) => (b && b.version > a.version ? b : a);
