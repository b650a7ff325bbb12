// Formatting of times. Pure: the time zone, the language and now are passed in.

const MINUTE = 60_000;
const DAY = 24 * 60 * MINUTE;

/** @typedef {{lang: string, zone?: string}} Where the reader's language and the order's time zone */

/** @type {Map<string, Intl.DateTimeFormat>} */
const formats = new Map();

/** @param {Where} where @param {Intl.DateTimeFormatOptions} options */
function format(where, options) {
  const key = `${where.lang} ${where.zone} ${JSON.stringify(options)}`;
  let found = formats.get(key);
  if (!found) {
    found = new Intl.DateTimeFormat(where.lang === "en" ? "en-GB" : where.lang, { ...options, timeZone: known(where.zone) });
    formats.set(key, found);
  }
  return found;
}

/** A time zone that the browser knows, else its own. @param {string} [zone] */
function known(zone) {
  try {
    return zone && new Intl.DateTimeFormat("en", { timeZone: zone }) ? zone : undefined;
  } catch {
    return undefined;
  }
}

/** "14:20". @param {number} at @param {Where} where */
export const clock = (at, where) => format(where, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" }).format(at);

/** "12 March". @param {number} at @param {Where} where */
export const date = (at, where) => format(where, { day: "numeric", month: "long" }).format(at);

/** "Thu, 12 Mar". @param {number} at @param {Where} where */
export const shortDate = (at, where) => format(where, { weekday: "short", day: "numeric", month: "short" }).format(at);

/** The day as a number that can be compared. @param {number} at @param {Where} where */
function dayOf(at, where) {
  const parts = Object.fromEntries(
    format({ ...where, lang: "en" }, { year: "numeric", month: "numeric", day: "numeric" })
      .formatToParts(at)
      .map(p => [p.type, p.value]),
  );
  return Math.round(Date.UTC(Number(parts.year), Number(parts.month) - 1, Number(parts.day)) / DAY);
}

/** How many midnights lie between now and then. @param {number} at @param {number} now @param {Where} where */
export const daysAway = (at, now, where) => dayOf(at, where) - dayOf(now, where);

/** "today", "tomorrow", "12 March". @param {number} at @param {number} now @param {Where} where */
export function day(at, now, where) {
  const away = daysAway(at, now, where);
  if (Math.abs(away) <= 1) return new Intl.RelativeTimeFormat(where.lang, { numeric: "auto" }).format(away, "day");
  return date(at, where);
}

/**
 * A window rounded outwards to five minutes; it doesn't start before now. `over` means
 * that it has passed.
 * @param {number} earliest @param {number} latest @param {number} now
 * @returns {{from: number, to: number, over: boolean}}
 */
export function roundOut(earliest, latest, now) {
  const step = 5 * MINUTE;
  const to = Math.ceil(latest / step) * step;
  const from = Math.floor(Math.max(earliest, Math.min(now, latest)) / step) * step;
  return { from, to: from === to ? to + step : to, over: latest < now };
}

/** "14:20–14:35". @param {number} from @param {number} to @param {Where} where */
export const span = (from, to, where) => `${clock(from, where)}–${clock(to, where)}`;

/** "12–14 March". @param {number} from @param {number} to @param {Where} where */
export function dates(from, to, where) {
  if (daysAway(to, from, where) === 0) return date(from, where);
  return format(where, { day: "numeric", month: "long" })
    .formatRange(from, to)
    .replace(/\s*–\s*/, "–");
}

/** "just now", "3 minutes ago", "2 hours ago". @param {number} at @param {number} now @param {Where} where */
export function ago(at, now, where) {
  const minutes = Math.round((at - now) / MINUTE);
  const words = new Intl.RelativeTimeFormat(where.lang, { numeric: "auto" });
  if (minutes > -1) return words.format(0, "second");
  if (minutes > -60) return words.format(minutes, "minute");
  if (minutes > -24 * 60) return words.format(Math.round(minutes / 60), "hour");
  return words.format(Math.round(minutes / 60 / 24), "day");
}
