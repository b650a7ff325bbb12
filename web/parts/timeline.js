import { lang } from "../i18n/index.js";
import { html } from "../vendor/preact.js";
import { Icon } from "./icon.js";
import { clock, daysAway, shortDate } from "./time.js";

/** @typedef {{id: string, at: number, text: string, detail?: string, group?: import("./status.js").Group}} Entry */

/**
 * A timeline, newest first, with a heading for each day.
 * @param {{entries: Entry[], now: number, zone?: string}} props
 */
export function Timeline({ entries, now, zone }) {
  const where = { lang, zone };
  return html`
    <ol class="timeline">
      ${entries.map((entry, i) => {
        const above = i ? entries[i - 1].at : now;
        const newDay = daysAway(entry.at, above, where) !== 0;
        return html`
          <li key=${entry.id} class=${i ? "" : "newest"}>
            <span class=${`timeline-mark ${entry.group ?? "idle"}`}><${Icon} name=${entry.group ?? "idle"} /></span>
            <span class="timeline-text">${entry.text}${entry.detail && html`<span class="timeline-detail">${entry.detail}</span>`}</span>
            <time class="timeline-time num" datetime=${new Date(entry.at).toISOString()}>
              ${newDay && html`<span>${shortDate(entry.at, where)}</span>`}${clock(entry.at, where)}
            </time>
          </li>
        `;
      })}
    </ol>
  `;
}
