// Live order tracking in a web page, without dependencies.
//
//   import { Live, watchOrder } from "https://track.example/client.js";
//
//   const watch = watchOrder(id, { token, on: {
//     status:   f => show(f.data.status),
//     position: f => marker.move(f.data.lat, f.data.lon),
//   } });
//   watch.close();
//
//   const live = new Live({ key, on: { positions: f => f.data.couriers.forEach(move) } });
//   live.subscribe("fleet");
//   live.subscribe(`order:${id}`, 3); // and every status after version 3
//
// Both reconnect automatically, with exponential, jittered backoff, when the connection
// breaks, the server stops or the page was too slow. The statuses of a watched order
// always arrive in version order, with nothing lost or duplicated.

/**
 * @typedef {object} Frame
 * @property {"snapshot"|"status"|"note"|"position"|"positions"|"eta"|"notification"|"offer"|"route"|"ping"|"end"|"ack"|"error"|"reset"} type
 * @property {string} [order_id]
 * @property {number} [version] the order's; on snapshots and statuses
 * @property {string} at        RFC 3339
 * @property {any} [data]       by type: Snapshot, OrderEvent, Position, Fleet, Estimate, Notification,
 *                              topics (ack), Problem (error); see /asyncapi.yaml
 *
 * @typedef {{lat: number, lon: number}} Point degrees, WGS 84
 * @typedef {Point & {courier_id: string, recorded_at: string, accuracy?: number, speed?: number, heading?: number}} Position
 *   metres, metres a second, degrees clockwise from north
 * @typedef {{couriers: Position[]}} Fleet
 * @typedef {{id: string, status: string, version: number, courier?: object, position?: Position}} Snapshot the order
 * @typedef {{id: string, seq: number, type: string, status: string, previous_status?: string, occurred_at: string}} OrderEvent
 * @typedef {{eta: string, earliest: string, latest: string, minutes_remaining: number, method: string}} Estimate
 * @typedef {{notification_id: string, channel: string, text: string}} Notification
 * @typedef {{code: string, status: number, title: string, detail?: string, instance?: string, retryAfter?: number}} Problem RFC 9457
 *
 * @typedef {object} Options
 * @property {string} [base]    the server's address; default: this script's origin
 * @property {string} [key]     a key or JWT of the caller
 * @property {string} [token]   of a share link, in place of a key
 * @property {() => Promise<string>} [ticket] fetches a ticket from the page's own server, which has the key
 * @property {Record<string, (frame: Frame) => void>} [on] handlers of frames by type; "*" handles all
 * @property {(state: "connecting"|"open"|"waiting"|"closed") => void} [state]
 * @property {(why: Problem|null) => void} [ended] called when the stream ends on its own; null: the order is finished
 * @property {number} [silence] milliseconds of silence after which the connection counts as broken
 */

// Milliseconds: the first pause, the longest pause, and the age at which a connection counts as stable.
const FIRST = 500,
  LONGEST = 30_000,
  STEADY = 5_000;
// The server sends something at least every 25 seconds: if a page becomes visible again after a
// longer silence, its connection was lost while it slept.
const ASLEEP = 28_000;
const TOPICS_A_MESSAGE = 40; // the server reads messages of at most 4 KiB

/** @type {Record<number, Problem>} */
const CLOSINGS = {
  4001: { status: 401, code: "unauthenticated", title: "Unauthorised" },
  4002: { status: 403, code: "forbidden", title: "Access was revoked" },
  4400: { status: 400, code: "malformed", title: "Bad request" },
};

/** Whether reconnecting after the problem is useless. @param {Partial<Problem>} problem */
const final = ({ status = 0 }) => status >= 400 && status < 500 && status !== 429;

/** Reads a refusal of REST. @param {Response} reply @returns {Promise<Problem>} */
async function problemOf(reply) {
  const body = await reply.json().catch(() => ({}));
  return { status: reply.status, title: reply.statusText, ...body, retryAfter: 1000 * Number(reply.headers.get("Retry-After")) };
}

/** A connection that reconnects until it is closed or reconnecting is useless. */
class Connection {
  #path;
  /** @type {WebSocket | undefined} */
  #socket;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #timer;
  /** @type {ReturnType<typeof setTimeout> | undefined} */
  #silence;
  #since = 0;
  #tries = 0;
  #refused = 0;
  #closed = false;
  #heardAt = 0;
  #online = () => {
    if (this.#socket) return;
    this.#tries = 0;
    this.#wait(0);
  };
  #awake = () => {
    if (document.hidden) return;
    if (Date.now() - this.#heardAt > ASLEEP) this.#drop();
    this.#online();
  };

  /** @param {string} path @param {Options} options */
  constructor(path, options) {
    this.#path = path;
    /** @type {Options & {base: string, silence: number, on: Record<string, (frame: Frame) => void>}} */
    this.options = { base: new URL(import.meta.url).origin, silence: 60_000, on: {}, ...options };
    addEventListener("online", this.#online);
    globalThis.document?.addEventListener("visibilitychange", this.#awake);
    this.#wait(0);
  }

  /** Closes the connection permanently. */
  close() {
    if (this.#closed) return;
    this.#closed = true;
    removeEventListener("online", this.#online);
    globalThis.document?.removeEventListener("visibilitychange", this.#awake);
    clearTimeout(this.#timer);
    this.#drop();
    this.options.state?.("closed");
  }

  // Overridden by the two kinds of connections.

  /** Extra query parameters. @returns {Record<string, unknown>} */
  query() {
    return {};
  }
  /** Called with each new connection. */
  opened() {}
  /** Called with each frame; false hides it from the page. @param {Frame} _frame */
  take(_frame) {
    return true;
  }
  /** Asks why a socket was refused, which browsers do not tell. @returns {Promise<Problem|undefined>} */
  async refusal() {
    return /** @type {Problem | undefined} */ (undefined);
  }

  /** @param {object} message */
  send(message) {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** Calls REST with the page's key or token. @param {string} path @param {string} [method] */
  request(path, method) {
    const bearer = this.options.key ?? this.options.token;
    return fetch(this.options.base + path, { method, headers: bearer ? { Authorization: `Bearer ${bearer}` } : {} });
  }

  async #connect() {
    this.options.state?.("connecting");
    const url = new URL(this.#path, this.options.base.replace(/^http/, "ws"));
    try {
      const credentials = await this.#credentials();
      for (const [name, value] of Object.entries({ ...this.query(), ...credentials })) url.searchParams.set(name, String(value));
    } catch (problem) {
      // network errors, too
      return this.#failed(/** @type {Problem} */ (problem));
    }
    if (this.#closed || this.#socket) return; // meanwhile
    const socket = new WebSocket(url);
    this.#socket = socket;
    socket.onopen = () => {
      this.#since = Date.now();
      this.options.state?.("open");
      this.#heard();
      this.opened();
    };
    socket.onmessage = message => {
      this.#heard();
      this.#frame(JSON.parse(message.data));
    };
    socket.onclose = event => {
      if (socket === this.#socket) this.#lost(event);
    };
  }

  async #credentials() {
    const { ticket, key, token } = this.options;
    if (ticket) return { ticket: await ticket() };
    if (!key) return token ? { token } : {};
    const reply = await this.request("/ws/ticket", "POST");
    if (!reply.ok) throw await problemOf(reply);
    return { ticket: (await reply.json()).ticket };
  }

  /** @param {Frame} frame */
  #frame(frame) {
    this.#refused = 0;
    if (frame.type === "ping" || !this.take(frame)) return;
    this.options.on[frame.type]?.(frame);
    this.options.on["*"]?.(frame);
  }

  /** The server is alive; it sends something at least every 25 seconds. */
  #heard() {
    this.#heardAt = Date.now();
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => {
      this.#drop();
      this.#wait();
    }, this.options.silence);
  }

  /** The socket was closed or failed to open. @param {CloseEvent} event */
  async #lost({ code, reason }) {
    const opened = this.#since > 0;
    this.#drop();
    if (code === 1000 && opened) return this.#ended(null);
    const known = CLOSINGS[code];
    /** @type {Partial<Problem>} */
    const problem = known ? { ...known, detail: reason } : opened ? {} : ((await this.refusal().catch(() => {})) ?? {});
    // The ticket may have expired in transit; retry with a new one.
    if (code === 4001 && !this.options.token && ++this.#refused < 3) return this.#wait();
    this.#failed(problem);
  }

  /** @param {Partial<Problem>} problem */
  #failed(problem) {
    if (final(problem)) this.#ended(/** @type {Problem} */ (problem));
    else this.#wait(problem.retryAfter || undefined);
  }

  /** @param {Problem | null} why */
  #ended(why) {
    if (this.#closed) return;
    this.close();
    this.options.ended?.(why);
  }

  /** Drops the socket, which may be dead. */
  #drop() {
    clearTimeout(this.#silence);
    const socket = this.#socket;
    this.#socket = undefined;
    socket?.close();
    if (this.#since && Date.now() - this.#since > STEADY) this.#tries = 0;
    this.#since = 0;
  }

  /** Connects after a pause of at least the given milliseconds. @param {number} [least] */
  #wait(least) {
    if (this.#closed) return;
    const pause = Math.min(LONGEST, FIRST * 2 ** this.#tries) * (0.5 + Math.random() / 2);
    if (least !== 0) {
      this.#tries++;
      this.options.state?.("waiting");
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#connect(), least === 0 ? 0 : Math.max(least ?? 0, pause));
  }
}

/** Tracks the versions of orders, so that each status is passed on once. */
class Versions {
  /** @type {Map<string | undefined, number | undefined>} */
  #seen = new Map();
  /** @param {string | undefined} id */
  get(id) {
    return this.#seen.get(id);
  }
  /** @param {string} id @param {number} [version] */
  set(id, version) {
    this.#seen.set(id, version);
  }
  /** @param {string | undefined} id */
  delete(id) {
    this.#seen.delete(id);
  }

  /** Whether the frame is new. @param {Frame} frame */
  take({ type, order_id: id, version }) {
    if (type === "snapshot" && this.#seen.has(id)) this.#seen.set(id, this.#seen.get(id) ?? version);
    if (type !== "status" || !this.#seen.has(id)) return true;
    if (Number(version) <= (this.#seen.get(id) ?? -1)) return false;
    this.#seen.set(id, version);
    return true;
  }
}

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
