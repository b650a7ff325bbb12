import { Connection, FIRST, LONGEST } from "./connection.js";
import { final, Versions } from "./frames.js";

/** @typedef {import("./types.js").Frame} Frame */
/** @typedef {import("./types.js").Options} Options */

const TOPICS_A_MESSAGE = 40; // the server reads messages of at most 4 KiB

/**
 * Many topics over one connection: `order:<id>`, `courier:<id>`, `fleet` and `orders`. A
 * topic that can't be watched results in an `error` frame whose data.instance is the topic.
 * Statuses of `orders` missed while disconnected are sent again, or a `reset` frame says
 * that it was too long. Fleet frames are not: `state` is "open" for each new connection.
 */
export class Live extends Connection {
  /** @type {Set<string>} */
  #topics = new Set();
  #versions = new Versions();
  /** The newest entry of the topic "orders". @type {string | undefined} */
  #cursor;

  /** @param {Options} [options] */
  constructor(options = {}) {
    super("/ws", options);
  }

  /** @param {string} topic @param {number} [since] of an order: the last version seen */
  subscribe(topic, since) {
    if (this.#topics.has(topic)) return;
    this.#topics.add(topic);
    const id = orderOf(topic);
    if (id) this.#versions.set(id, since);
    this.#ask([topic]);
  }

  /** @param {string} topic */
  unsubscribe(topic) {
    if (!this.#topics.delete(topic)) return;
    this.#versions.delete(orderOf(topic));
    this.send({ unsubscribe: [topic] });
  }

  opened() {
    const topics = [...this.#topics];
    for (let i = 0; i < topics.length; i += TOPICS_A_MESSAGE) this.#ask(topics.slice(i, i + TOPICS_A_MESSAGE));
  }

  /** @param {Frame} frame */
  take(frame) {
    const topic = frame.type === "error" && frame.data?.instance;
    if (this.#topics.has(topic)) {
      if (final(frame.data)) this.#topics.delete(topic);
      else setTimeout(() => this.#topics.has(topic) && this.#ask([topic]), FIRST + (Math.random() * LONGEST) / 10);
    }
    if (frame.type === "end") {
      this.#topics.delete(`order:${frame.order_id}`);
      this.#versions.delete(frame.order_id);
    }
    if (this.#topics.has("orders")) this.#cursor = frame.data?.cursor ?? (/^(status|note)$/.test(frame.type) ? frame.data?.id : undefined) ?? this.#cursor;
    return this.#versions.take(frame);
  }

  /** @param {string[]} topics */
  #ask(topics) {
    /** @type {Record<string, number | string>} */
    const since = this.#cursor && topics.includes("orders") ? { orders: this.#cursor } : {};
    for (const topic of topics) {
      const version = this.#versions.get(orderOf(topic));
      if (version !== undefined) since[topic] = version;
    }
    this.send({ subscribe: topics, since });
  }
}

/** The id in order:<id>; undefined for other topics. @param {string} topic */
function orderOf(topic) {
  return topic.startsWith("order:") ? topic.slice(6) : undefined;
}
