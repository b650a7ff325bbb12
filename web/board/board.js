import { all, call, Refusal } from "../api.js";
import { ended } from "../parts/status.js";
import { batch, computed, effect, signal } from "../vendor/preact.js";
import { ASK, mayAsk, newest } from "./contact.js";
import { counted } from "./counts.js";
import { follow } from "./follow.js";
import { listed, searched } from "./groups.js";
import { Rereading } from "./rereading.js";
import { route } from "./route.js";
import { watchTroubles } from "./troubles.js";

/** @typedef {import("#api").components["schemas"]["Order"]} Order */
/** @typedef {import("#api").components["schemas"]["Courier"] & {id: string}} Courier */

const TICK = 10_000; // milliseconds between looks at the clock
const AGAIN = 3000; // milliseconds before a server that is away is asked again
const SOON = 50; // milliseconds in which changes are gathered
const REST = 4; // times as long as drawing took there is a rest after it
const LONGEST = 500; // milliseconds of rest

/** The orders and couriers of the board, kept current by the live stream. */
export class Board {
  /** @param {import("../start.js").Boot} boot @param {import("./session.js").Session} session */
  constructor(boot, session) {
    this.session = session;
    this.offset = Date.parse(boot.now) - Date.now();
    this.now = signal(this.clock());
    this.state = signal(/** @type {"loading"|"ready"|"trouble"} */ ("loading"));
    this.live = signal(/** @type {"connecting"|"open"|"waiting"|"closed"} */ ("connecting"));
    this.orders = /** @type {Map<string, Order>} */ (new Map());
    this.told = /** @type {Map<string, {version: number, status: string}>} */ (new Map()); // by the stream, of versions that are yet to be read
    this.couriers = /** @type {Map<string, Courier>} */ (new Map());
    this.changed = signal(0); // grows with every change of orders or couriers
    this.troubles = signal(/** @type {import("./troubles.js").Trouble[]} */ ([]));
    this.noted = /** @type {Map<string, number>} */ (new Map()); // how often an order's history grew without a new version
    this.incidents = /** @type {Set<string>} */ (new Set()); // the orders with an open one
    this.moved = signal(0); // grows with every position
    this.performers = /** @type {Map<string, Courier["position"]>} */ (new Map()); // where carriers' couriers are, by order
    this.asked = /** @type {Promise<void> | undefined} */ (undefined); // for the couriers
    this.cursor = signal(""); // the row that keys act on
    this.selected = signal(/** @type {Set<string>} */ (new Set()));
    this.rereading = new Rereading(this);
    this.rested = 0; // when the next drawing may be
    this.drawing = /** @type {ReturnType<typeof setTimeout> | undefined} */ (undefined);
    this.rows = computed(() => {
      this.changed.value;
      const { group, q, late, view, courier } = route.value;
      return listed(this.orders.values(), { group, q, late: late === "1", courier: view === "couriers" ? undefined : courier }, this.now.value);
    });
    this.counts = counted(this);
    effect(() => {
      if (session.state.value === "in" && session.can("listOrders")) this.start();
    });
  }

  /** The server's time, milliseconds. */
  clock() {
    return Date.now() + this.offset;
  }

  start() {
    if (this.stream) return;
    setInterval(() => {
      this.now.value = this.clock();
    }, TICK);
    setInterval(() => document.hidden || !mayAsk(this.couriers.size) || this.loadCouriers().then(() => this.redraw(), Boolean), ASK);
    this.load();
    watchTroubles(this.session, found => {
      this.troubles.value = found;
    });
    this.stream = follow(this);
  }

  /** Loads everything that is not finished, page by page; what was open and is not among it is read once more. */
  async load() {
    const open = new Set([...this.orders.values()].filter(o => !ended(o.status)).map(o => o.id));
    const take = (/** @type {Order} */ o) => {
      open.delete(o.id);
      this.put(o, true);
      searched(o); // now, so that the first letter of a search need not wait
    };
    try {
      await Promise.all([all("/orders?active=true", "orders", take, () => this.redraw()), this.loadCouriers(), this.loadIncidents()]);
      for (const id of open) this.rereading.touch(id);
      this.state.value = "ready";
    } catch (reason) {
      if (reason instanceof Refusal && reason.status === 401) return this.session.start();
      if (this.state.value === "loading") this.state.value = "trouble";
      setTimeout(() => this.load(), AGAIN);
    }
    this.redraw();
  }

  /** Who asks while they are being loaded waits with the others. */
  async loadCouriers() {
    if (!this.session.can("listCouriers")) return;
    this.asked ??= all("/couriers?", "couriers", c => this.meet(c));
    await this.asked.finally(() => (this.asked = undefined));
  }

  async loadIncidents() {
    if (!this.session.can("listIncidents")) return;
    const open = new Set();
    await all("/orders?incident=true", "orders", o => {
      this.put(o, true);
      open.add(o.id);
    });
    this.incidents = open;
    this.redraw();
  }

  /** Finished orders that match the search, newest first. @param {string} [q] */
  async loadDone(q) {
    const found = await call("GET", `/orders?active=false&page_size=200${q ? `&q=${encodeURIComponent(q)}` : ""}`);
    for (const order of found.orders) this.put(order);
    this.redraw();
  }

  /** Keeps a courier. @param {Courier} courier */
  meet(courier) {
    this.couriers.set(courier.id, newest(this.couriers.get(courier.id), courier));
  }

  /** Keeps an order unless a newer one is known; it does not go back behind what the stream told. @param {Order} order @param {boolean} [quiet] */
  put(order, quiet) {
    const { version = 0, status = "" } = this.told.get(order.id) ?? {};
    if ((this.orders.get(order.id)?.version ?? 0) > order.version) return;
    this.orders.set(order.id, version > order.version ? { ...order, status: /** @type {Order["status"]} */ (status) } : order);
    if (version <= order.version) this.told.delete(order.id);
    if (!quiet) this.redraw();
  }

  /** Something happened to an order. @param {{order_id: string, version: number, status: string}} event */
  heard(event) {
    const known = this.orders.get(event.order_id);
    if (known && known.version >= event.version) return;
    this.told.set(event.order_id, event);
    if (known) this.put(known, true);
    this.rereading.touch(event.order_id, event.version);
    this.redraw();
  }

  /** The history of an order grew. @param {string} id @param {{type: string, version: number}} [entry] */
  note(id, entry) {
    if (entry?.type.startsWith("incident.")) this.loadIncidents().catch(() => {}); // the next one asks again
    this.noted.set(id, (this.noted.get(id) ?? 0) + 1);
    this.rereading.touch(id, entry?.version);
    this.redraw();
  }

  /** @param {string} id @returns {Promise<Order>} the newest version */
  async fetch(id) {
    const order = await call("GET", `/order/${id}`);
    this.put(order);
    return order;
  }

  /** @param {any[]} [fixes] */
  positions(fixes) {
    if (!Array.isArray(fixes)) return;
    let strange = false;
    for (const { courier_id, ...position } of fixes) {
      const known = this.couriers.get(courier_id);
      if (known) known.position = position;
      else strange = true;
    }
    this.moved.value++;
    if (strange && !this.asked) this.loadCouriers().catch(() => {}); // a new courier; the next position asks again
  }

  /** Redraws once for many changes. Drawing thousands of orders takes long: most of the time is left for other things. */
  redraw() {
    this.drawing ??= setTimeout(
      () => {
        const start = performance.now();
        this.drawing = undefined;
        batch(() => {
          this.changed.value++;
          this.now.value = this.clock();
        });
        queueMicrotask(() => {
          this.rested = performance.now() + Math.min(LONGEST, REST * (performance.now() - start)); // it is drawn now
        });
      },
      Math.max(SOON, this.rested - performance.now()),
    );
  }

  /** The courier's name. @param {string} [id] */
  nameOf(id) {
    return (id && this.couriers.get(id)?.name) || "";
  }

  /** The unfinished orders of a courier. @param {string} id */
  ordersOf(id) {
    return [...this.orders.values()].filter(o => o.courier_id === id && !ended(o.status));
  }
}
