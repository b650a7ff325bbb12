import { call } from "../api.js";
import { computed, effect, signal } from "../vendor/preact.js";
import { count } from "./groups.js";

const EVERY = 30_000; // milliseconds

/**
 * The sizes of the groups. Of what is loaded the board counts itself, at once; the server
 * counts finished orders, which are not loaded, and all while they are being loaded.
 * @param {import("./board.js").Board} board
 */
export function counted(board) {
  const served = signal(/** @type {import("#api").components["schemas"]["OrderCounts"] | undefined} */ (undefined));
  const ask = () =>
    call("GET", "/orders/counts").then(
      told => {
        served.value = told;
      },
      () => {}, // the next time
    );
  let asking = false;
  effect(() => {
    if (board.session.state.value !== "in" || !board.session.can("countOrders") || asking) return;
    asking = true;
    ask();
    setInterval(() => document.hidden || ask(), EVERY);
  });
  return computed(() => {
    board.changed.value;
    /** @type {Record<string, any>} */
    const n = count(board.orders.values(), board.now.value);
    const { delivery_failed: failed, more, ...all } = served.value ?? { delivery_failed: 0, done: undefined };
    if (served.value && board.state.value === "loading") Object.assign(n, all, { failed });
    return Object.assign(n, { done: all.done, more });
  });
}
