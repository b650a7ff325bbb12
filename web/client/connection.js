import { CLOSINGS, final, problemOf } from "./frames.js";

/** @typedef {import("./types.js").Frame} Frame */
/** @typedef {import("./types.js").Options} Options */
/** @typedef {import("./types.js").Problem} Problem */

// Milliseconds: the first pause, the longest pause, and the age at which a connection counts as stable.
export const FIRST = 500;
export const LONGEST = 30_000;
const STEADY = 5_000;
// The server sends something at least every 25 seconds: if a page becomes visible again after a
// longer silence, its connection was lost while it slept.
const ASLEEP = 28_000;

/** A connection that reconnects until it is closed or reconnecting is useless. */
export class Connection {
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
