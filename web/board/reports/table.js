import { lang, t } from "../../i18n/index.js";
import { html } from "../../vendor/preact.js";
import { MOST } from "../acceptance.js";

/** @typedef {import("./reports.js").Report} Report */
/** @typedef {import("./reports.js").Group} Group */

/** @param {number | undefined} v */
export const share = v => (v === undefined ? "–" : v.toLocaleString(lang, { style: "percent", maximumFractionDigits: 1 }));

/** @param {number | undefined} v */
export function minutes(v) {
  if (v === undefined) return "–";
  if (v < 120) return t("reports.minutes", { n: Math.round(v) });
  return t("reports.hours", { n: Math.round(v / 6) / 10 });
}

/** @param {number | undefined} v */
const plain = v => (v === undefined ? "–" : v.toLocaleString(lang, { maximumFractionDigits: 1 }));

/** What columns show, by the name of their text. @type {Record<string, (g: Group) => string>} */
const cells = {
  delivered: g => plain(g.delivered),
  failed: g => plain(g.failed + g.returned),
  cancelled: g => plain(g.cancelled),
  on_time: g => share(g.on_time_share),
  coverage: g => share(g.coverage),
  off: g => minutes(g.mae_minutes),
  door: g => minutes(g.door_minutes),
  waiting: g => minutes(g.total_minutes),
  first: g => share(g.delivered ? g.first_try / g.delivered : undefined),
  stars: g => plain(g.stars),
  kept: g => share(g.carrier_kept_share),
  duty: g => plain(g.hours_on_duty),
  made: g => plain(g.offers),
  accepted: g => plain(g.accepted),
  declined: g => plain(g.declined),
  expired: g => plain(g.expired),
  acceptance: g => share(g.acceptance),
};

const usual = ["delivered", "failed", "cancelled", "on_time", "coverage", "off", "door", "waiting", "first", "stars"];
/** @type {Record<string, string[]>} */
const columnsBy = {
  carrier: [...usual, "kept"],
  courier: ["duty", "delivered", "failed", "on_time", "door", "first", "stars", "made", "accepted", "declined", "expired", "acceptance"],
  reason: ["declined"],
  duration: ["delivered", "on_time", "coverage", "stars"],
};

/** A row a group. @param {{report: Report, board: import("../board.js").Board, merchants: any[]}} props */
export function Table({ report, board, merchants }) {
  const columns = columnsBy[report.by] ?? [...usual, "acceptance"];
  if (!report.groups.length) return html`<p class="quiet">${t("reports.empty")}</p>`;
  const rows = report.by === "day" ? report.groups.toReversed() : report.groups;
  return html`
    <div class="reports-table" tabindex="0" role="region" aria-label=${t(`reports.by.${report.by}`)}>
      <table>
        <thead><tr><th scope="col">${t(`reports.by.${report.by}`)}</th>${columns.map(c => html`<th scope="col" class="end">${t(`reports.${c}`)}</th>`)}</tr></thead>
        <tbody>
          ${rows.map(g => html`<tr key=${g.group}><th scope="row" dir="auto">${nameOf(report.by, g, board, merchants)}</th>${columns.map(c => html`<td class="end num">${cells[c](g)}</td>`)}</tr>`)}
        </tbody>
      </table>
    </div>
    ${report.groups.length >= MOST && html`<p class="small quiet">${t(report.by === "courier" ? "reports.most_couriers" : "reports.most", { n: MOST })}</p>`}
  `;
}

/** @param {string} by @param {Group} g @param {import("../board.js").Board} board @param {any[]} merchants */
function nameOf(by, g, board, merchants) {
  switch (by) {
    case "day":
    case "week":
      return new Intl.DateTimeFormat(lang, {
        weekday: by === "day" ? "short" : undefined,
        day: "numeric",
        month: "short",
        year: "numeric",
        timeZone: "UTC",
      }).format(Date.parse(g.group));
    case "merchant":
      return merchants.find(m => m.id === g.group)?.name ?? (g.group || t("reports.nobody"));
    case "carrier":
      return g.group.toUpperCase() || t("reports.own");
    case "courier":
      return g.name || board.nameOf(g.group) || g.group;
    case "duration":
      return t("reports.upto", { time: minutes(Number(g.group)) });
  }
  return g.group.replace(",", ", ") || t("reports.unknown");
}
