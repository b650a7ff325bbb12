import { lang, t } from "../i18n/index.js";
import { html } from "../vendor/preact.js";
import { clock, dates, day, daysAway, roundOut, span } from "./time.js";

/**
 * An arrival time: a window in steps of five minutes, a day if no more is known, or the
 * actual time.
 * @param {{earliest: number, latest: number, now: number, zone?: string, days?: boolean, happened?: boolean}} props
 *   milliseconds
 */
export function TimeWindow({ earliest, latest, now, zone, days, happened }) {
  const where = { lang, zone };
  if (happened) return html`<${Large} text=${clock(earliest, where)} note=${noteOf(earliest, now, where)} />`;
  if (days) {
    const near = daysAway(earliest, latest, where) === 0 && Math.abs(daysAway(earliest, now, where)) <= 1;
    return html`<${Large} text=${near ? capital(day(earliest, now, where)) : dates(earliest, latest, where)} words />`;
  }
  const { from, to, over } = roundOut(earliest, latest, now);
  if (over) return html`<${Large} text=${t("window.any_minute")} words />`;
  return html`<${Large} text=${span(from, to, where)} note=${noteOf(from, now, where)} />`;
}

/** The day, unless it is today. @param {number} at @param {number} now @param {import("./time.js").Where} where */
const noteOf = (at, now, where) => (daysAway(at, now, where) === 0 ? "" : capital(day(at, now, where)));

/** @param {string} text */
const capital = text => text.charAt(0).toLocaleUpperCase(lang) + text.slice(1);

/** @param {{text: string, note?: string, words?: boolean}} props */
const Large = ({ text, note, words }) => html`
  <p class="window">${note && html`<span class="window-day">${note}</span> `}<span class=${`window-time num ${words ? "words" : ""}`}>${text}</span></p>
`;
