// The page's state of the order, updated by the live stream. After every gap (no network,
// a restart, a sleeping page) the stream starts with the order's current state.
import { call, Refusal } from "../api.js";
import { decode } from "../parts/map/glide.js";
import { ended } from "../parts/status.js";
import { computed, signal } from "../vendor/preact.js";
import { isNear } from "./story.js";

/** @typedef {import("#api").components["schemas"]["Event"]} Event */
/** @typedef {import("#api").components["schemas"]["Position"]} Position */

const TICK = 5_000; // milliseconds
const SOON = 150; // milliseconds between a change and asking for all of it
const QUIET = 4_000; // milliseconds without a connection that are not worth a word
const REFRESH = 60_000; // milliseconds after which all is asked for again: of a parcel's scans, the stream does not tell
const SKEW = 60_000; // milliseconds by which clocks differ because somebody set one

export class Store {
  /** @param {import("../start.js").Boot} boot */
  constructor(boot) {
    this.id = boot.order_id ?? "";
    this.token = boot.token;
    this.can = new Set(boot.can);
    this.reachable = ["webpush", "telegram", "max"].some(channel => this.can.has(channel));
    this.callTemplate = boot.call;
    this.state = signal(/** @type {"loading"|"ready"|"trouble"|"gone"} */ ("loading"));
    this.order = signal(/** @type {import("./story.js").Order | undefined} */ (undefined));
    this.courier = signal(/** @type {Partial<import("./story.js").Courier> | undefined} */ (undefined));
    this.position = signal(/** @type {Position & {stale?: boolean} | undefined} */ (undefined));
    this.eta = signal(/** @type {import("./story.js").Estimate | undefined} */ (undefined));
    this.timeline = signal(/** @type {Event[]} */ ([]));
    this.trail = signal(/** @type {[number, number][]} */ ([]));
    this.lostAt = signal(0);
    this.offset = Date.parse(boot.now) - Date.now();
    this.now = signal(this.clock());
    this.near = computed(() => isNear(this.timeline.value));
    /** @type {{close: () => void} | undefined} */
    this.watch = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.soon = undefined;
    this.loading = false;
    this.loadedAt = 0;
    this.heard = 0; // the newest version that the stream told of
    this.last = { said: "", key: "" };
    if (boot.order && boot.track) this.whole(boot.order, boot.track);
  }

  /** The server's time: a phone's clock may be hours off. */
  clock() {
    return Date.now() + this.offset;
  }

  async start() {
    setInterval(() => this.tick(), TICK);
    document.addEventListener("visibilitychange", () => document.hidden || this.back());
    if (!this.order.value) this.load();
    const { watchOrder } = await import("../client/order.js"); // the first view does not wait for it
    if (this.state.value === "gone") return;
    this.watch = watchOrder(this.id, {
      token: this.token,
      state: state => this.connection(state),
      ended: why => why && new Refusal(why.status, why).final && this.leave(),
      on: {
        snapshot: frame => this.snapshot(frame),
        status: frame => this.happened(frame.data),
        note: frame => this.happened(frame.data),
        position: frame => this.moved(frame.data),
        eta: frame => {
          this.eta.value = frame.data;
        },
        end: () => this.load(),
      },
    });
  }

  /** Who comes back may have started a bot, which no event tells of. */
  back() {
    this.tick();
    this.later();
  }

  tick() {
    this.now.value = this.clock();
    const status = this.order.value?.status ?? "";
    if (status && !ended(status) && !document.hidden && !this.lostAt.value && performance.now() - this.loadedAt > REFRESH) this.load();
  }

  /** @param {"connecting"|"open"|"waiting"|"closed"} state */
  connection(state) {
    if (state === "open") {
      this.lostAt.value = 0;
      if (this.state.value === "trouble") this.load();
    }
    if (state !== "waiting" || this.lostAt.value) return;
    this.lostAt.value = this.clock();
    setTimeout(() => this.tick(), QUIET + 50);
  }

  /** Whether the connection has been down long enough to tell the user. */
  get offline() {
    return this.lostAt.value > 0 && this.now.value - this.lostAt.value > QUIET;
  }

  /** @param {import("../client/types.js").Frame} frame */
  snapshot(frame) {
    const sample = Date.parse(frame.at) - Date.now();
    // Frames are delayed by the network, so the largest difference is the most accurate.
    this.offset = Math.abs(sample - this.offset) > SKEW ? sample : Math.max(sample, this.offset);
    const known = this.order.value;
    const { courier, position, ...order } = { pin: known?.pin, ...frame.data }; // streams have no PIN
    this.heard = order.version;
    this.take(order, courier, position);
    if (known?.version !== order.version) this.later(); // the timeline has news
  }

  /** @param {any} order @param {any} courier @param {any} position */
  take(order, courier, position) {
    this.order.value = order;
    this.courier.value = courier;
    this.position.value = position;
    if (order.eta && !(Date.parse(this.eta.value?.computed_at ?? "") > Date.parse(order.eta.computed_at))) this.eta.value = order.eta;
    this.state.value = "ready";
    this.tick();
  }

  /** @param {Event} event */
  happened(event) {
    if (!this.timeline.value.some(e => e.id === event.id)) this.timeline.value = [...this.timeline.value, event];
    this.heard = Math.max(this.heard, event.version);
    if (event.status && this.order.value && event.type !== "order.report_late") this.order.value = { ...this.order.value, status: event.status };
    this.tick();
    this.later();
  }

  /** @param {Position} position */
  moved(position) {
    this.position.value = position;
    this.trail.value = [...this.trail.value.slice(-499), [position.lat, position.lon]];
  }

  /** Schedules a reload of the whole order; concurrent changes share one. */
  later(pause = SOON) {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.load(), pause);
  }

  async load() {
    if (this.loading) return this.later();
    this.loading = true;
    try {
      const [order, track] = await Promise.all([this.call("GET", ""), this.call("GET", "/track")]);
      this.whole(order, track);
    } catch (error) {
      this.failed(error);
    } finally {
      this.loading = false;
    }
  }

  /** Takes all of it, unless the stream has told of more since it was asked for. @param {any} order @param {any} track */
  whole(order, track) {
    if (order.version < Math.max(this.heard, this.order.value?.version ?? 0)) return this.later();
    this.loadedAt = performance.now();
    const [seen, known] = [track.position, this.position.value].map(p => Date.parse(p?.recorded_at ?? ""));
    this.take(order, track.courier, track.position && known > seen ? this.position.value : track.position);
    this.eta.value = track.eta ?? order.eta;
    this.timeline.value = track.timeline;
    this.trail.value = track.polyline ? decode(track.polyline) : [];
  }

  /** @param {unknown} error */
  failed(error) {
    if (error instanceof Refusal && error.final) return this.leave();
    if (!this.order.value) this.state.value = "trouble";
    this.later(TICK);
  }

  /** The link is no longer valid: all order data is removed from the page. */
  leave() {
    this.watch?.close();
    clearTimeout(this.soon);
    this.order.value = undefined;
    this.state.value = "gone";
  }

  /** Changes something: once, though it is sent again because no answer came. @param {string} path below the order's @param {unknown} body */
  async change(path, body) {
    const said = path + JSON.stringify(body);
    if (this.last.said !== said) this.last = { said, key: crypto.getRandomValues(new Uint32Array(4)).join("-") };
    const answer = await this.call("POST", path, body, this.last.key);
    this.last = { said: "", key: "" };
    this.later();
    return answer;
  }

  /** @param {string} method @param {string} path below the order's @param {unknown} [body] @param {string} [key] */
  call(method, path, body, key) {
    return call(method, `/order/${encodeURIComponent(this.id)}${path}`, { token: this.token, body, key });
  }
}
