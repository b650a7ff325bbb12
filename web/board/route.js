// What the page shows is in its URL: it can be bookmarked, sent and gone back to.
import { signal } from "../vendor/preact.js";

/**
 * @typedef {object} Route
 * @property {string} [view]    orders, couriers, plan, alerts, reports or settings
 * @property {string} [group]   of the list of orders
 * @property {string} [q]       the search
 * @property {string} [late]    "1": only late ones
 * @property {string} [order]   the order in the drawer
 * @property {string} [courier] the courier in the drawer, or whose orders are listed
 * @property {string} [tab]     of the settings, or what reports are grouped by
 * @property {string} [id]      what a page of the settings shows
 * @property {string} [days]    that reports are of
 * @property {string} [shop]    that reports are of
 */

const names = /** @type {const} */ (["view", "group", "q", "late", "order", "courier", "tab", "id", "days", "shop"]);

/** @returns {Route} */
function read() {
  const query = new URLSearchParams(location.search);
  return Object.fromEntries(names.flatMap(name => (query.get(name) ? [[name, query.get(name) ?? ""]] : [])));
}

/** Where the page is. */
export const route = signal(read());
addEventListener("popstate", () => {
  route.value = read();
});

/**
 * Changes parts of the route; an empty value removes one.
 * @param {Route} change @param {{replace?: boolean}} [options] replace: without an entry in the browser's history
 */
export function go(change, { replace } = {}) {
  const next = /** @type {Record<string, string>} */ ({ ...route.value, ...("view" in change && { tab: "", id: "", days: "", shop: "" }), ...change });
  for (const name of Object.keys(next)) if (!next[name]) delete next[name];
  const query = new URLSearchParams(next);
  const lang = new URLSearchParams(location.search).get("lang");
  if (lang) query.set("lang", lang);
  const url = `${location.pathname}${query.size ? `?${query}` : ""}`;
  history[replace ? "replaceState" : "pushState"](null, "", url);
  route.value = next;
}
