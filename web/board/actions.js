// What people do to orders. Every change names the version that it was decided on.
import { call, Refusal } from "../api.js";
import { has, lang, learn, t } from "../i18n/index.js";
import { ago } from "../parts/time.js";
import { say } from "../parts/toast.js";

/** @typedef {import("./groups.js").Order} Order */
/** @typedef {{order: Order, error?: string, said?: string, back?: () => Promise<Order>}} Result of a step; said is how it went, where the status does not tell it */
/** @typedef {{method: string, path: string, body?: any}} Step a call on one order; its path follows /order/<id> */

/** @type {(courier: string) => Step} */
export const assignTo = courier => ({ method: "POST", path: "/assign-courier", body: courier ? { courier_id: courier } : { auto: true } });
/** @type {(status: string, reason?: string) => Step} */
export const moveTo = (status, reason) => ({ method: "PATCH", path: "/status", body: { status, ...(reason && { reason }) } });
/** @type {(reason?: string) => Step} */
export const cancel = reason => ({ method: "DELETE", path: "", body: reason ? { reason } : undefined });

/**
 * Applies a step to an order as the user saw it. A conflict tells who was faster and shows the newest order.
 * @param {import("./board.js").Board} board @param {Order} order @param {Step} step @returns {Promise<Order>}
 */
export async function apply(board, order, { method, path, body }) {
  try {
    return await board.rereading.during(order.id, async () => {
      const changed = await call(method, `/order/${order.id}${path}`, { body, version: order.version, key: crypto.randomUUID() });
      if (changed?.version) board.put(changed);
      return changed;
    });
  } catch (reason) {
    if (reason instanceof Refusal && [404, 409, 412].includes(reason.status)) await board.fetch(order.id).catch(() => {});
    throw reason;
  }
}

/** What went wrong, for people. @param {unknown} reason @param {import("./board.js").Board} board */
export function whyNot(reason, board) {
  if (!(reason instanceof Refusal) || reason.status === 0) return t("failed.network");
  if (reason.status === 412) {
    const { changed_by, changed_at, changed = [] } = reason.problem;
    if (!changed_by) return t("failed.conflict");
    const who = nameOf(changed_by, board) || t(`actor.${changed_by.kind}`);
    const when = ago(Math.min(Date.parse(changed_at), board.clock()), board.clock(), { lang });
    const what = [...new Set(changed.map((/** @type {string} */ name) => (has(`changed.${name}`) ? t(`changed.${name}`) : name)))].join(", ");
    return what ? t("failed.conflict.what", { who, when, what }) : t("failed.conflict.who", { who, when });
  }
  if (reason.code === "paid_cancel_required") return t("failed.paid");
  if (reason.status === 403) return t("failed.forbidden");
  const faults = (reason.problem.errors ?? []).map((/** @type {any} */ e) => `${e.pointer} ${e.detail}`).join("; ");
  return faults || reason.message;
}

export const MESSAGE = 1000; // characters of a message at most
/** @type {(text: string) => Step} */
export const write = text => ({ method: "POST", path: "/notify", body: { text } });

/** How a message went, for people. @param {{channel: string, status: string}[]} deliveries */
export function reached(deliveries) {
  const sent = deliveries.filter(d => ["sent", "queued"].includes(d.status)).map(d => t(`channel.${d.channel}`));
  return sent.length ? t("message.sent", { channels: sent.join(", ") }) : t("message.nobody");
}

/** @param {any} actor @param {import("./board.js").Board} board */
export function nameOf(actor, board) {
  if (!actor) return "";
  if (typeof actor === "string") return actor;
  return actor.name ?? (actor.kind === "courier" ? board.nameOf(actor.id) : "") ?? "";
}

/**
 * Applies a step and says how it went, with an undo where there is one.
 * @param {import("./board.js").Board} board @param {Order} order @param {Step} step @param {string} done
 */
export async function act(board, order, step, done) {
  try {
    const changed = await apply(board, order, step);
    const back = undoOf(order, changed);
    say(done, { undo: back && (() => act(board, changed, back, t("done.undone"))) });
    return true;
  } catch (reason) {
    say(whyNot(reason, board), { kind: "bad" });
    return false;
  }
}

/** The step that takes a step back; the status machine has few. @param {Order} was @param {Order} now @returns {Step | undefined} */
function undoOf(was, now) {
  if (now?.status !== "assigned") return undefined;
  if (was.status === "assigned" && was.courier_id) return assignTo(was.courier_id);
  return ["created", "confirmed"].includes(was.status) ? moveTo("confirmed") : undefined;
}

const AT_ONCE = 8;

/**
 * Applies a step to many orders, several at once.
 * @param {import("./board.js").Board} board @param {Order[]} orders @param {Step} step @param {(done: number) => void} progress
 * @returns {Promise<Result[]>} in the order given
 */
export async function applyAll(board, orders, step, progress) {
  /** @type {Result[]} */
  const results = [];
  let next = 0;
  let done = 0;
  const work = async () => {
    while (next < orders.length) {
      const i = next++;
      try {
        const changed = /** @type {any} */ (await apply(board, orders[i], step));
        const back = undoOf(orders[i], changed);
        results[i] = {
          order: changed?.version ? changed : orders[i],
          said: changed?.deliveries && reached(changed.deliveries),
          back: back && (() => apply(board, changed, back)),
        };
      } catch (reason) {
        results[i] = { order: orders[i], error: whyNot(reason, board) };
      }
      progress(++done);
    }
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return results;
}

const PLANNED = 2000; // orders in one plan at most

/**
 * Lets the server's plan divide orders among the couriers. An order that somebody changed meanwhile is left as it is.
 * @param {import("./board.js").Board} board @param {Order[]} orders @returns {Promise<Result[]>} in the order given
 */
export async function divide(board, orders) {
  if (orders.length > PLANNED) return [...(await divide(board, orders.slice(0, PLANNED))), ...(await divide(board, orders.slice(PLANNED)))];
  try {
    const ask = call("POST", "/dispatch/run", { body: { order_ids: orders.map(o => o.id) }, key: crypto.randomUUID() });
    const [{ assignments, unassigned }] = await Promise.all([ask, learn("plan")]);
    /** @type {Map<string, string>} */
    const taker = new Map(assignments.map((/** @type {any} */ a) => [a.order_id, a.courier_id]));
    const why = new Map(unassigned.map((/** @type {any} */ u) => [u.order_id, t(`reason.${u.reason}`)]));
    return orders.map(order => {
      const courier = taker.get(order.id);
      if (!courier) return { order, error: why.get(order.id) };
      const back = async () => {
        const now = await board.fetch(order.id);
        const step = now.courier_id === courier ? undoOf(order, now) : undefined;
        return step ? apply(board, now, step) : Promise.reject(new Error("somebody went on with it"));
      };
      return { order, said: board.nameOf(courier), back };
    });
  } catch (reason) {
    return orders.map(order => ({ order, error: whyNot(reason, board) }));
  }
}
