import { Connection } from "./connection.js";
import { problemOf, Versions } from "./frames.js";

/** @typedef {import("./types.js").Frame} Frame */
/** @typedef {import("./types.js").Options} Options */

/** One order, until it is finished. */
class OrderWatch extends Connection {
  #id;
  #versions = new Versions();

  /** @param {string} id @param {Options & {since?: number}} options */
  constructor(id, options) {
    super(`/order/${encodeURIComponent(id)}/ws`, options);
    this.#id = id;
    this.#versions.set(id, options.since);
  }

  query() {
    const since = this.#versions.get(this.#id);
    return since === undefined ? {} : { since };
  }

  /** @param {Frame} frame */
  take(frame) {
    return this.#versions.take(frame);
  }

  async refusal() {
    if (this.options.ticket) return; // only the page's own server may ask
    const reply = await this.request(`/order/${encodeURIComponent(this.#id)}/status`);
    return reply.ok ? undefined : problemOf(reply);
  }
}

/**
 * Watches one order until it is finished: a snapshot, then live frames. With `since` the
 * statuses after that version are sent first; 0 is the whole history.
 * @param {string} id @param {Options & {since?: number}} [options]
 * @returns {{close(): void}}
 */
export function watchOrder(id, options = {}) {
  return new OrderWatch(id, options);
}
