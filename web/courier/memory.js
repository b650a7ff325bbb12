// What the phone remembers of the day: it is there at once, also without a network.
import { all, kept, putNewer, within } from "./db.js";

/** @typedef {import("./steps.js").Order} Order */

/** The day as it was known last, if it is that of who used the phone last. @returns {Promise<any>} */
export async function recall() {
  const [id, day, orders] = await Promise.all([kept("who"), kept("day"), all("orders")]);
  return id && day?.courier?.id === id ? { ...day, id, orders } : undefined;
}

/** Another courier uses the phone; what the one before has not sent stays. @param {string} id */
export const startAnew = id =>
  within(["orders", "kept"], "readwrite", at => {
    at("orders").clear();
    at("kept").delete("day");
    return at("kept").put(id, "who");
  });

/**
 * The server's list replaces what was known, but never a newer version of an order.
 * @param {Map<string, Order>} known @param {Order[]} orders @returns {Promise<Map<string, Order>>}
 */
export async function store(known, orders) {
  const found = new Map(orders.map(o => [o.id, newer(o, known.get(o.id))]));
  await within(["orders"], "readwrite", at => {
    for (const id of known.keys()) if (!found.has(id)) at("orders").delete(id);
    putNewer(at("orders"), orders);
    return undefined;
  }).catch(() => {}); // a full disk: it is told when something is added
  return found;
}

/** @template {{version: number}} T @param {T} a @param {T | undefined} b */
export const newer = (a, b) => (b && b.version > a.version ? b : a);
