// The courier's day: who it is, the orders, the tour, the offers; kept on the phone, so that
// it is there without a network, and refreshed by the live stream.
import { call, Refusal } from "../api.js";
import { computed, signal } from "../vendor/preact.js";
import { exchange, watch } from "./link.js";
import { listed, newer, recall, remember, startAnew, store, updated } from "./memory.js";
import { Outbox } from "./outbox.js";
import { dayOf, stopsOf } from "./steps.js";

/** @typedef {import("./steps.js").Order} Order */
/** @typedef {import("#api").components["schemas"]["Offer"]} Offer */
/** @typedef {import("#api").components["schemas"]["Courier"]} Courier */

const TICK = 1_000; // milliseconds
const SOON = 200;
const AGAIN = 5_000;
const REFRESH = 60_000; // in case a frame was missed

export class Day {
  /** @param {import("../start.js").Boot} boot */
  constructor(boot) {
    this.boot = boot;
    this.state = signal(/** @type {"loading"|"insecure"|"out"|"stranger"|"ready"} */ ("loading"));
    this.why = signal(""); // why signing in failed
    this.courier = signal(/** @type {Courier | undefined} */ (undefined));
    this.route = signal(/** @type {any} */ (undefined));
    this.orders = signal(/** @type {Map<string, Order>} */ (new Map()));
    this.offers = signal(/** @type {Offer[]} */ ([]));
    this.shifts = signal(/** @type {any[]} */ ([]));
    this.offline = signal(false);
    this.asOf = signal(0); // when the server was heard last
    this.now = signal(Date.now());
    this.offset = 0; // how far the server's clock is ahead, milliseconds
    this.may = new Set();
    this.own = false; // it is the courier, not somebody of the staff who looks
    this.photoForPIN = true; // whether a photo will do where the customer's code can't be checked
    /** @type {{lat: number, lon: number} | undefined} */
    this.here = undefined;
    this.outbox = new Outbox();
    this.stops = computed(() => stopsOf(this.route.value, this.orders.value, this.outbox.entries.value));
    this.next = computed(() => this.stops.value.find(s => !s.done));
    this.done = computed(() => dayOf(this.orders.value.values(), this.outbox.entries.value, new Date(this.now.value).setHours(0, 0, 0, 0)));
    this.id = "";
    this.turn = 0; // of reading everything
    this.shown = 0; // the turn that is
    /** @type {import("../client.js").Live | undefined} */
    this.live = undefined;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.soon = undefined;
  }

  async start() {
    if (!isSecureContext || !("locks" in navigator)) {
      this.state.value = "insecure";
      return;
    }
    this.outbox.known = orders => this.learn(orders);
    this.outbox.told = (entry, answer) => this.settled(entry, answer);
    this.outbox.signedOut = () => this.leave();
    setInterval(() => {
      this.now.value = Date.now();
    }, TICK);
    const refresh = () => document.hidden || this.load();
    setInterval(refresh, REFRESH);
    document.addEventListener("visibilitychange", refresh);
    addEventListener("online", () => this.load());
    addEventListener("offline", () => this.lost());
    await this.outbox.start();
    await this.recall();
    await this.begin();
  }

  async begin() {
    await this.signInWith(new URLSearchParams(location.hash.slice(1)));
    await this.identify();
  }

  /** Shows what the phone knows. */
  async recall() {
    const found = await recall();
    if (!found) return;
    const { id, orders, route, courier, shifts = [], asOf, may, own, photoForPIN = true } = found;
    Object.assign(this, { id, own, photoForPIN, may: new Set(may) });
    this.courier.value = courier;
    this.route.value = route;
    this.shifts.value = shifts;
    this.asOf.value = asOf;
    this.orders.value = new Map(orders.map((/** @type {Order} */ o) => [o.id, o]));
    this.state.value = "ready";
  }

  /** Exchanges the one-time code of the onboarding link for a session. @param {URLSearchParams} link */
  async signInWith(link) {
    const code = link.get("code");
    if (!code) return;
    this.why.value = await exchange(code);
    if (this.why.value !== "network") history.replaceState(null, "", location.pathname + location.search);
  }

  /** Asks who this is. Staff may look at the app of a courier that the link names. */
  async identify() {
    try {
      const me = await call("GET", "/me");
      const id = me.courier_id ?? new URLSearchParams(location.hash.slice(1)).get("courier");
      if (!id) {
        this.state.value = "stranger";
        return;
      }
      this.may = new Set(me.permissions);
      this.own = me.role === "courier";
      this.photoForPIN = me.photo_for_pin;
      if (this.state.value === "out") this.state.value = "loading";
      if (id !== this.id) {
        this.orders.value = new Map();
        this.courier.value = this.route.value = undefined;
        await startAnew(id);
      }
      this.id = id;
      await this.load();
      this.live ??= watch(this);
    } catch (reason) {
      if (reason instanceof Refusal && [401, 403].includes(reason.status)) return this.leave();
      this.lost();
      setTimeout(() => this.begin(), AGAIN);
    }
  }

  /** The session is over; what waits stays on the phone. */
  leave() {
    this.live?.close();
    this.live = undefined;
    this.state.value = "out";
  }

  lost() {
    this.offline.value = true;
    if (this.state.value === "loading" && this.why.value) this.state.value = "out";
  }

  /** Whether a hand-over has to wait for a network, as nothing stands in for the customer's code. @param {Order} order */
  mustWait(order) {
    return this.offline.value && !this.photoForPIN && Boolean(order.proof_required?.includes("pin"));
  }

  later(pause = SOON) {
    clearTimeout(this.soon);
    this.soon = setTimeout(() => this.load(), pause);
  }

  /** Reads everything again. */
  async load() {
    if (!this.id || this.state.value === "out") return;
    const at = `/courier/${this.id}`;
    const turn = ++this.turn;
    try {
      const [courier, route, list, offers, shifts] = await Promise.all([
        call("GET", at),
        call("GET", `${at}/route`),
        call("GET", `${at}/orders?page_size=100`),
        call("GET", `${at}/offers`),
        call("GET", `${at}/shifts`),
      ]);
      if (turn < this.shown) return; // a later one was faster
      this.shown = turn;
      const told = this.outbox.entries.value.some(e => e.kind === "duty" && e.who === this.id && !e.refused); // the server doesn't know yet
      if (!told) this.courier.value = newer(courier, this.courier.value);
      this.route.value = route;
      this.offers.value = offers.offers;
      this.shifts.value = shifts.shifts ?? [];
      this.asOf.value = Date.now();
      this.offline.value = false;
      const was = this.orders.value;
      this.orders.value = listed(was, list.orders);
      this.state.value = "ready";
      await store(was.keys(), list.orders);
      await this.save();
    } catch (reason) {
      if (reason instanceof Refusal && reason.status === 401) return this.leave();
      if (turn > this.shown) this.lost();
      this.later(AGAIN);
    }
  }

  save() {
    return remember(this);
  }

  /** The server answered to an entry of the queue. @param {import("./send.js").Entry} entry @param {import("./send.js").Answer} answer */
  settled(entry, { kind, body }) {
    this.offline.value = false;
    if (entry.kind === "duty" && kind === "done") this.courier.value = body;
    if (entry.kind === "step" && kind === "done") this.learn([body]);
    this.later();
  }

  /** @param {Order[]} orders of which newer versions are taken */
  learn(orders) {
    this.orders.value = updated(this.orders.value, orders);
  }
}
