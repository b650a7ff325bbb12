import { Refusal } from "../api.js";

const SOON = 150; // milliseconds in which changes are gathered
const AWAY = 3000; // milliseconds before a server that is away is asked again
const AT_ONCE = 6; // requests

/** Reads orders again that have changed elsewhere. */
export class Rereading {
  /** @param {import("./board.js").Board} board */
  constructor(board) {
    this.board = board;
    /** What to read again, unless that version has come. @type {Map<string, number>} */
    this.stale = new Map();
    /** How many own changes of an order are under way, whose answers bring it. @type {Map<string, number>} */
    this.changing = new Map();
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.soon = undefined;
  }

  /** Reads an order again soon. @param {string | undefined} id @param {number} [version] is enough */
  touch(id, version = Number.POSITIVE_INFINITY) {
    if (!id) return;
    this.stale.set(id, Math.max(version, this.stale.get(id) ?? 0));
    this.wait(SOON);
  }

  /** Changes an order; it is not read while its answer may bring it. @template T @param {string} id @param {() => Promise<T>} change */
  async during(id, change) {
    this.changing.set(id, (this.changing.get(id) ?? 0) + 1);
    try {
      return await change();
    } finally {
      const others = (this.changing.get(id) ?? 1) - 1;
      if (others) this.changing.set(id, others);
      else this.changing.delete(id);
      this.forget(id);
      this.wait(0);
    }
  }

  /** Leaves an order as it is when the version has come. @param {string} id */
  forget(id) {
    if ((this.board.orders.get(id)?.version ?? 0) >= (this.stale.get(id) ?? 0)) this.stale.delete(id);
  }

  /** @param {number} pause */
  wait(pause) {
    if ([...this.stale.keys()].some(id => !this.changing.has(id))) this.soon ??= setTimeout(() => this.refresh(), pause);
  }

  async refresh() {
    for (const id of this.stale.keys()) this.forget(id);
    const next = [...this.stale].filter(([id]) => !this.changing.has(id)).slice(0, AT_ONCE);
    for (const [id] of next) this.stale.delete(id);
    let pause = 0;
    const again = (/** @type {[string, number]} */ [id, version], /** @type {unknown} */ reason) => {
      if (reason instanceof Refusal && reason.final) return;
      this.stale.set(id, version); // it may have been the last change
      pause = AWAY;
    };
    await Promise.all(next.map(one => this.board.fetch(one[0]).catch(reason => again(one, reason))));
    this.soon = undefined;
    this.wait(pause);
  }
}
