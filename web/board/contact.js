// When couriers' phones were heard last, and what they said.
import { lang, t } from "../i18n/index.js";
import { ago, clock } from "../parts/time.js";

/** @typedef {import("./board.js").Courier} Courier */

const SILENT = 5 * 60_000; // milliseconds without a word from somebody who carries an order

/** Milliseconds between questions for what phones say. */
export const ASK = 15_000;

/** Whether to ask this time, of so many couriers: of more than four pages of them only each fourth time. @param {number} couriers */
export const mayAsk = couriers => couriers <= 2_000 || Math.floor(Date.now() / ASK) % 4 === 0;

/** When a courier's phone was heard last, milliseconds; NaN if never. @param {Courier} c */
export const heardAt = c =>
  Math.max(Date.parse(c.last_contact?.at ?? "") || 0, Date.parse(c.position?.received_at ?? c.position?.recorded_at ?? "") || 0) || Number.NaN;

/** Why a courier's phone says that it has no position. @param {Courier} c */
export const lost = c => ["no_permission", "no_fix", "screen_off"].includes(c.last_contact?.dropped_reason ?? "");

/** Whether nobody knows where a courier with orders is. @param {Courier} c @param {number} now */
export const silent = (c, now) => Boolean(c.on_duty && c.active_orders && (lost(c) || now - heardAt(c) > SILENT));

/** @param {Courier} c */
export const dutyOf = c =>
  c.break_since ? t("courier.break", { time: clock(Date.parse(c.break_since), { lang }) }) : t(c.on_duty ? "courier.on" : "courier.off");

/** @param {Courier} c */
export function battery(c) {
  const percent = c.position?.battery ?? c.last_contact?.battery;
  return percent === undefined ? "" : `${Math.round(percent)}\u00a0%`;
}

/** @param {Courier} c @param {number} now */
export const heard = (c, now) => (Number.isNaN(heardAt(c)) ? t("courier.never") : ago(Math.min(heardAt(c), now), now, { lang }));

/**
 * A courier of whom an answer came, which is older than the stream's last position or a later answer when it was slow.
 * @param {Courier | undefined} known @param {Courier} courier @returns {Courier}
 */
export function newest(known, courier) {
  if (!known) return courier;
  const position = !(seenAt(known) > seenAt(courier)) && courier.position ? courier.position : known.position;
  return (known.version ?? 0) > (courier.version ?? 0) ? known : { ...known, ...courier, position };
}

/** @param {Courier} courier */
const seenAt = ({ position }) => Date.parse(position?.recorded_at ?? "");
