import { call, Refusal } from "../api.js";
import { signal } from "../vendor/preact.js";

/** @typedef {import("#api").components["schemas"]["Myself"]} Myself */

const AGAIN = 3000; // milliseconds between attempts to reach the server

/** Who works at the board: by a session, or anybody on the server's own machine. */
export class Session {
  constructor() {
    this.state = signal(/** @type {"loading"|"out"|"in"|"trouble"} */ ("loading"));
    this.me = signal(/** @type {Myself | undefined} */ (undefined));
    /** @type {Set<string>} */
    this.may = new Set();
  }

  async start() {
    try {
      this.enter(await call("GET", "/me"));
    } catch (reason) {
      const refused = reason instanceof Refusal && [401, 403].includes(reason.status);
      this.state.value = refused ? "out" : "trouble";
      if (!refused) setTimeout(() => this.start(), AGAIN);
    }
  }

  /** @param {Myself} me */
  enter(me) {
    this.may = new Set(me.permissions);
    this.me.value = me;
    this.state.value = "in";
  }

  /** Whether the caller may use an operation of the API. @param {string} operation */
  can(operation) {
    return this.may.has(operation);
  }

  /** Whether everybody's orders and couriers are shown. */
  get staff() {
    return ["admin", "dispatcher"].includes(this.me.value?.role ?? "");
  }

  /** Exchanges a key for a session. @param {string} key */
  async signIn(key) {
    await call("POST", "/session", { body: { key } });
    await this.start();
  }

  async signOut() {
    await call("DELETE", "/session");
    location.reload();
  }
}
