// The page's side of the queue: what the courier does is first written to the phone, then sent.
import { batch, signal } from "../vendor/preact.js";
import { all, together, within } from "./db.js";
import { LOCK, send } from "./send.js";

/** @typedef {import("./send.js").Entry} Entry */

const FIRST = 2_000; // milliseconds before the second attempt; doubled for each of the next
const LONGEST = 60_000;

export class Outbox {
  constructor() {
    /** Everything that waits or was refused, oldest first. */
    this.entries = signal(/** @type {Entry[]} */ ([]));
    this.full = signal(false); // the disk
    /** @type {(entry: Entry, answer: import("./send.js").Answer) => void} */
    this.told = () => {};
    /** @type {(orders: import("./steps.js").Order[]) => void} */
    this.known = () => {};
    this.signedOut = () => {};
    this.waiting = false; // for the lock
    this.tries = 0;
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    this.timer = undefined;
    this.channel = new BroadcastChannel("courier"); // the other tabs and the worker
  }

  async start() {
    this.channel.onmessage = ({ data }) => this.heard(data);
    addEventListener("online", () => this.now());
    document.addEventListener("visibilitychange", () => document.hidden || this.now());
    await this.read();
    this.now();
  }

  /** A step leaves the queue together with what it made of its order: seen without that it would be offered again. */
  async read() {
    const [queue, orders] = await together("queue", "orders");
    batch(() => {
      this.known(orders);
      this.entries.value = queue.sort((a, b) => a.seq - b.seq);
    });
  }

  /** @param {any} message */
  async heard(message) {
    await this.read();
    if (message.answer) this.told(message.entry, message.answer);
  }

  /**
   * Writes down what the courier did. Fails when the phone has no room left; nothing is kept then.
   * @param {Entry[]} entries that belong together
   */
  async add(...entries) {
    const write = () =>
      within(["queue"], "readwrite", at => {
        for (const entry of entries) at("queue").add(entry);
        return undefined;
      });
    try {
      await write().catch(async () => {
        await this.makeRoom();
        await write();
      });
      this.full.value = false;
    } catch (reason) {
      this.full.value = true;
      throw reason;
    }
    this.entries.value = [...this.entries.value, ...entries]; // at once, before what the disk says
    this.read();
    this.channel.postMessage({});
    this.now();
  }

  /** Steps are worth more than old positions. */
  async makeRoom() {
    const fixes = await all("fixes");
    if (fixes.length) await within(["fixes"], "readwrite", at => at("fixes").delete(IDBKeyRange.upperBound(fixes[fixes.length >> 1].seq)));
  }

  /** Removes refused entries that the courier has read about. @param {Entry[]} entries */
  async dismiss(entries) {
    await within(["queue"], "readwrite", at => {
      for (const entry of entries) at("queue").delete(Number(entry.seq));
      return undefined;
    });
    await this.read();
    this.channel.postMessage({});
  }

  now() {
    this.tries = 0;
    this.flush();
  }

  /** Sends what waits, after whoever is sending now. */
  flush() {
    clearTimeout(this.timer);
    if (this.waiting) return;
    this.waiting = true;
    navigator.locks
      .request(LOCK, () => {
        this.waiting = false;
        return send((entry, answer) => this.result(entry, answer));
      })
      .then(
        async outcome => this.rest(await outcome),
        () => this.rest({ left: true }), // the disk
      );
  }

  /** @param {Entry} entry @param {import("./send.js").Answer} answer */
  result(entry, answer) {
    this.tries = 0;
    this.channel.postMessage({ entry: { ...entry, files: undefined }, answer });
    this.read();
    this.told(entry, answer);
  }

  /** @param {{left: boolean, out?: boolean, wait?: number}} outcome */
  rest({ left, out, wait = 0 }) {
    if (out) return this.signedOut();
    if (!left) return;
    const pause = Math.max(wait, Math.min(LONGEST, FIRST * 2 ** this.tries++));
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.flush(), pause);
    wakeLater();
  }
}

/** Has the worker send when the network is back, also if the page is closed by then. */
async function wakeLater() {
  const registration = await navigator.serviceWorker?.getRegistration().catch(() => undefined);
  const { sync } = /** @type {any} */ (registration ?? {});
  await sync?.register("outbox").catch(() => {}); // the page itself goes on trying
}
