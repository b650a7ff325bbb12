// What the courier does: each becomes an entry of the queue, with the phone's time.
import { t } from "../i18n/index.js";
import { say } from "../parts/toast.js";
import { ask } from "./remind.js";

/** @typedef {import("./day.js").Day} Day */
/** @typedef {import("./steps.js").Order} Order */

/** A new UUIDv7: it is unique for ever, however long the queue waits. */
export function newID() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  const now = Date.now();
  for (let i = 0; i < 6; i++) bytes[i] = Math.floor(now / 2 ** (8 * (5 - i))) & 255;
  bytes[6] = (bytes[6] & 0x0f) | 0x70;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = [...bytes].map(b => b.toString(16).padStart(2, "0")).join("");
  return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
}

/**
 * @param {Day} day @param {Order} order @param {string} status @param {string} [reason]
 * @param {import("./steps.js").Money} [received] the money that was collected
 * @returns {import("./send.js").Entry}
 */
export function stepEntry(day, order, status, reason, received) {
  const at = new Date().toISOString();
  return {
    ...about(day, order, "step", at),
    method: "PATCH",
    path: `/order/${order.id}/status`,
    body: { status, occurred_at: at, ...(reason && { reason }), ...(received && { received }), ...(day.here && { location: day.here }) },
  };
}

/**
 * @param {Day} day @param {Order} order @param {Record<string, any>} body @param {Record<string, Blob>} files
 * @returns {import("./send.js").Entry}
 */
export const proofEntry = (day, order, body, files) => evidence(day, order, "proof", body, files);

/**
 * @param {Day} day @param {Order} order @param {Record<string, any>} body @param {Record<string, Blob>} files
 * @returns {import("./send.js").Entry}
 */
export const incidentEntry = (day, order, body, files) => evidence(day, order, "incident", body, files);

/** @param {Day} day @param {Order} order @param {"proof"|"incident"} kind @param {Record<string, any>} body @param {Record<string, Blob>} files */
function evidence(day, order, kind, body, files) {
  const entry = about(day, order, kind, new Date().toISOString());
  const path = `/order/${order.id}/${kind === "proof" ? "proof" : "incidents"}`;
  return { ...entry, method: "POST", path, body: { id: entry.key, occurred_at: entry.at, ...body }, ...(Object.keys(files).length && { files }) };
}

/** @param {Day} day @param {Order} order @param {"step"|"proof"|"incident"} kind @param {string} at */
const about = (day, order, kind, at) => ({ who: day.id, lane: order.id, kind, key: newID(), at, order: order.id, number: order.number });

/** Writes entries down; says so when the phone is full. @param {Day} day @param {import("./send.js").Entry[]} entries */
export async function queue(day, ...entries) {
  try {
    await day.outbox.add(...entries);
    navigator.vibrate?.(30);
    return true;
  } catch {
    say(t("full.title"), { kind: "bad" });
    return false;
  }
}

/** @param {Day} day @param {boolean} on @param {boolean} [pause] whether it is a break */
export async function duty(day, on, pause) {
  if (on) ask();
  const entry = { who: day.id, lane: "duty", kind: /** @type {const} */ ("duty"), key: newID(), at: new Date().toISOString() };
  const put = await queue(day, { ...entry, method: "PATCH", path: `/courier/${day.id}`, body: pause ? { on_break: true } : { on_duty: on } });
  if (!put) return;
  if (day.courier.value) day.courier.value = { ...day.courier.value, on_duty: on, break_since: pause ? entry.at : undefined };
  day.save();
}
