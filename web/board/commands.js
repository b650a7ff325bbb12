import { t } from "../i18n/index.js";
import { signal } from "../vendor/preact.js";
import { act, applyAll, assignTo, divide } from "./actions.js";
import { go, route } from "./route.js";

/**
 * What can be done from the keyboard and the palette.
 * @typedef {object} Command
 * @property {string} name  its text is command.<name>
 * @property {string} [key] one key, or two that follow each other, such as "g c"
 * @property {() => void} run
 * @property {string} [may] the operation of the API that one must be allowed to use
 * @property {() => boolean} [when]
 */

const PAIR = 1500; // milliseconds between the two keys of a pair

/** The commands of the board; dialogs are open while their signal says so. */
export class Commands {
  /** @param {import("./board.js").Board} board @param {import("./session.js").Session} session */
  constructor(board, session) {
    this.board = board;
    this.session = session;
    this.search = signal(/** @type {string | undefined} */ (undefined)); // the palette's text
    this.help = signal(false);
    this.creating = signal(false);
    this.assigning = signal(/** @type {string[] | undefined} */ (undefined));
    this.offering = signal(/** @type {string | undefined} */ (undefined));
    this.importing = signal(false);
    this.results = signal(/** @type {import("./bulk.js").Results | undefined} */ (undefined));
    this.first = "";
    /** @type {string | undefined} */
    this.anchor = undefined;
    /** @type {Command[]} */
    this.all = [
      { name: "search", key: "/", run: () => this.focusSearch() },
      { name: "palette", key: "ctrl+k", run: () => this.palette("") },
      { name: "create", key: "n", run: () => this.open(this.creating), may: "createOrder" },
      { name: "down", key: "j", run: () => this.move(1) },
      { name: "up", key: "k", run: () => this.move(-1) },
      { name: "open", key: "Enter", run: () => this.show(board.cursor.value), when: () => !!board.cursor.value },
      { name: "select", key: "x", run: () => this.toggle(board.cursor.value), when: () => !!board.cursor.value },
      { name: "range", key: "X", run: () => this.range(), when: () => !!board.cursor.value },
      { name: "all", key: "*", run: () => this.mark(board.rows.value.map(o => o.id)) },
      { name: "assign", key: "a", run: () => this.assign(), may: "assignCourier", when: () => this.targets().length > 0 },
      { name: "offer", key: "o", run: () => this.offer(this.targets()[0]), may: "offerOrder", when: () => this.targets().length === 1 },
      { name: "import", run: () => this.open(this.importing), may: "importOrders" },
      { name: "close", key: "Escape", run: () => this.leave() },
      { name: "orders", key: "g o", run: () => go({ view: "", order: "", courier: "" }) },
      { name: "alerts", key: "g a", run: () => go({ view: "alerts", order: "" }) },
      { name: "couriers", key: "g c", run: () => go({ view: "couriers", order: "", courier: "" }), may: "listCouriers" },
      { name: "plan", key: "g p", run: () => go({ view: "plan", order: "" }), may: "planDispatch" },
      { name: "reports", key: "g r", run: () => go({ view: "reports", order: "" }), may: "reportDeliveries" },
      { name: "settings", key: "g s", run: () => go({ view: "settings", order: "" }) },
      { name: "help", key: "?", run: () => this.open(this.help) },
    ];
  }

  /** Whether the role may use a command, if not now. @param {Command} command */
  may(command) {
    return !command.may || this.session.can(command.may);
  }

  /** Whether a command has something to act on now. @param {Command} command */
  ready(command) {
    return this.may(command) && (command.when?.() ?? true);
  }

  /** Listens to the keyboard until it is told to stop. */
  listen() {
    const pressed = (/** @type {KeyboardEvent} */ e) => this.pressed(e);
    document.addEventListener("keydown", pressed);
    return () => document.removeEventListener("keydown", pressed);
  }

  /** @param {KeyboardEvent} e */
  pressed(e) {
    const target = /** @type {HTMLElement} */ (e.target);
    const writes = /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName) && /** @type {HTMLInputElement} */ (target).type !== "checkbox";
    const palette = (e.ctrlKey || e.metaKey) && e.key.toLowerCase() === "k";
    if (document.querySelector("dialog[open]")) return;
    if (!palette && (e.ctrlKey || e.metaKey || e.altKey)) return;
    if (writes && !palette) return e.key === "Escape" && target.blur();
    if (e.key === "Enter" && /^(BUTTON|A|SUMMARY)$/.test(target.tagName)) return;
    const key = palette ? "ctrl+k" : this.first ? `${this.first} ${e.key}` : e.key;
    this.first = "";
    const found = this.all.find(c => c.key === key && this.ready(c));
    if (found) {
      e.preventDefault();
      found.run();
    } else if (this.all.some(c => c.key?.startsWith(`${e.key} `))) {
      this.first = e.key;
      setTimeout(() => {
        this.first = "";
      }, PAIR);
    }
  }

  /** @param {import("../vendor/preact.js").Signal<boolean>} dialog */
  open(dialog) {
    dialog.value = true;
  }

  /** @param {string} text */
  palette(text) {
    this.search.value = text;
  }

  focusSearch() {
    go({ view: "" }, { replace: true });
    requestAnimationFrame(() => /** @type {HTMLElement | null} */ (document.querySelector("input.search"))?.focus());
  }

  /** Moves the cursor over the list; an open drawer follows. @param {number} by */
  move(by) {
    const { cursor, rows } = this.board;
    const at = rows.value.findIndex(o => o.id === cursor.value);
    const next = rows.value[Math.min(rows.value.length - 1, Math.max(0, at < 0 ? 0 : at + by))];
    if (!next) return;
    cursor.value = next.id;
    if (route.value.order) go({ order: next.id }, { replace: true });
  }

  /** @param {string} id */
  show(id) {
    this.board.cursor.value = id;
    go({ order: id });
  }

  /** @param {string} id */
  toggle(id) {
    const next = new Set(this.board.selected.value);
    if (!next.delete(id)) next.add(id);
    this.anchor = id;
    this.board.selected.value = next;
  }

  /** Selects from the row that was selected last to the cursor. */
  range() {
    const ids = this.board.rows.value.map(o => o.id);
    const [from, to] = [ids.indexOf(this.anchor ?? ""), ids.indexOf(this.board.cursor.value)].sort((a, b) => a - b);
    this.mark([...this.board.selected.value, ...ids.slice(Math.max(0, from), to + 1)]);
  }

  /** @param {string[]} ids */
  mark(ids) {
    this.board.selected.value = new Set(ids);
  }

  /** What an action applies to: the selection, else the order in the drawer, else the row under the cursor. */
  targets() {
    const { selected, cursor } = this.board;
    if (selected.value.size) return [...selected.value];
    const one = route.value.order ?? cursor.value;
    return one ? [one] : [];
  }

  assign(ids = this.targets()) {
    this.assigning.value = ids;
  }

  /** Orders were dragged onto a courier. @param {string} data @param {string} courier */
  dropped = (data, courier) => this.give(data.split(" "), courier);

  /** @param {string[]} ids @param {string} courier "" for the one who suits best */
  async give(ids, courier) {
    const orders = ids.flatMap(id => this.board.orders.get(id) ?? []);
    if (orders.length === 1) return act(this.board, orders[0], assignTo(courier), t("done.assigned", { number: orders[0].number ?? "" }));
    const told = courier ? await applyAll(this.board, orders, assignTo(courier), () => {}) : await divide(this.board, orders);
    this.mark(told.filter(r => r.error).map(r => r.order.id)); // those that are left to do
    this.results.value = told;
  }

  /** @param {string} id */
  offer(id) {
    this.offering.value = id;
  }

  /** Closes what is open, one thing at a time. */
  leave() {
    if (route.value.order) return go({ order: "" });
    if (this.board.selected.value.size) return this.mark([]);
    if (route.value.courier) return go({ courier: "" });
    if (route.value.q) go({ q: "" });
  }
}
