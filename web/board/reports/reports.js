import { call } from "../../api.js";
import { lang, t } from "../../i18n/index.js";
import { Button } from "../../parts/button.js";
import { Choice } from "../../parts/choice.js";
import { Empty } from "../../parts/notice.js";
import { say } from "../../parts/toast.js";
import { html, useEffect, useState } from "../../vendor/preact.js";
import { whyNot } from "../actions.js";
import { go, route } from "../route.js";
import { useMerchants } from "../settings/merchants.js";
import { Chart } from "./chart.js";
import { minutes, share, Table } from "./table.js";

/** @typedef {import("#api").components["schemas"]["DeliveryReport"]} Report */
/** @typedef {import("#api").components["schemas"]["DeliveryGroup"]} Group */

const DAY = 86_400_000; // milliseconds
const periods = ["7", "30", "90", "365"];
const groupings = ["day", "week", "merchant", "zone", "carrier", "courier", "reason", "duration"];
const ofStaff = ["merchant", "courier", "reason"];

/** How deliveries went: numbers, charts by day, and a table by what is asked for. @param {import("../app.js").Props} props */
export function Reports(props) {
  const { board, session } = props;
  const merchants = useMerchants(props);
  const { days = "30", shop = "", tab = "week" } = route.value;
  const mine = groupings.filter(by => session.staff || !ofStaff.includes(by));
  const by = mine.includes(tab) ? tab : "week";
  const [daily, setDaily] = useState(/** @type {Report | undefined} */ (undefined));
  const [groups, setGroups] = useState(/** @type {Report | undefined} */ (undefined));
  const path = (/** @type {string} */ grouping) => {
    const from = new Date(board.clock() - (Number(days) - 1) * DAY).toISOString().slice(0, 10);
    const query = new URLSearchParams({ by: grouping, from });
    if (shop) query.set("merchant_id", shop);
    return `/reports/deliveries?${query}`;
  };
  useEffect(() => load(board, path("day"), setDaily), [days, shop]);
  useEffect(() => load(board, path(by), setGroups), [days, shop, by]);
  const shops = merchants.map(m => /** @type {[string, string]} */ ([m.id, m.name ?? m.id]));
  return html`
    <div class="reports">
      <header class="reports-bar">
        <h1>${t("reports.title")}</h1>
        <${Choice} label=${t("reports.period")} value=${days} onPick=${(/** @type {string} */ v) => go({ days: v })} options=${periods.map(n => [n, t("reports.days", { n: Number(n) })])} />
        ${shops.length > 0 && html`<${Choice} label=${t("reports.merchant")} value=${shop} onPick=${(/** @type {string} */ v) => go({ shop: v })} options=${[["", t("reports.all")], ...shops]} />`}
      </header>
      ${daily && !total(daily.all) && !daily.all.offers ? html`<${Empty} icon="chart" title=${t("reports.empty")}>${t("reports.empty.text")}<//>` : html`<${Numbers} all=${daily?.all} /><${Charts} daily=${daily} />`}
      <section class="card" aria-label=${t("reports.by")}>
        <div class="reports-bar">
          <${Choice} label=${t("reports.by")} value=${by} onPick=${(/** @type {string} */ v) => go({ tab: v })} options=${mine.map(g => [g, t(`reports.by.${g}`)])} />
          <${Button} icon="down" href=${`${path(by)}&format=csv&excel=true`}>${t("reports.csv")}<//>
        </div>
        ${groups?.by === by && html`<${Table} report=${groups} board=${board} merchants=${merchants} />`}
      </section>
    </div>
  `;
}

/** @param {import("../board.js").Board} board @param {string} path @param {(report: Report) => void} set */
function load(board, path, set) {
  let gone = false;
  call("GET", path).then(
    report => gone || set(report),
    reason => say(whyNot(reason, board), { kind: "bad" }),
  );
  return () => {
    gone = true;
  };
}

/** @param {Group} g */
const total = g => g.delivered + g.failed + g.returned + g.cancelled;

/** @param {{all: Group | undefined}} props */
function Numbers({ all }) {
  /** @type {[string, string, string][]} */
  const tiles = all
    ? [
        ["delivered", all.delivered.toLocaleString(lang), t("reports.of", { n: total(all) })],
        ["on_time", share(all.on_time_share), t("reports.promised", { n: all.promised })],
        ["coverage", share(all.coverage), t("reports.goal")],
        ["door", minutes(all.door_minutes), t("reports.total", { time: minutes(all.total_minutes) })],
        ["first", share(all.delivered ? all.first_try / all.delivered : undefined), ""],
        ["stars", all.stars?.toLocaleString(lang, { maximumFractionDigits: 2 }) ?? "–", t("reports.ratings", { n: all.ratings })],
        ["acceptance", share(all.acceptance), t("reports.offers", { n: all.offers })],
        ["kept", share(all.carrier_kept_share), t("reports.parcels", { n: all.carrier_promises })],
      ]
    : [];
  if (!all) return html`<div class="reports-numbers" aria-busy="true">${[...Array(8)].map(() => html`<div class="card bone"></div>`)}</div>`;
  return html`
    <dl class="reports-numbers">
      ${tiles.map(([name, value, more]) => html`<div class="card"><dt class="quiet">${t(`reports.${name}`)}</dt><dd class="big num">${value}</dd><dd class="small quiet">${more}</dd></div>`)}
    </dl>
  `;
}

/** @param {{daily: Report | undefined}} props */
function Charts({ daily }) {
  if (!daily) return html`<div class="reports-charts" aria-busy="true">${[...Array(3)].map(() => html`<div class="card bone"></div>`)}</div>`;
  /** @type {number[]} */
  const x = [];
  for (let at = Date.parse(daily.from); at <= Date.parse(daily.to); at += DAY) x.push(at / 1000);
  const of = new Map(daily.groups.map(g => [Date.parse(g.group) / 1000, g]));
  /** @param {(g: Group) => number | undefined} value @param {number | null} [none] */
  const values = (value, none = null) => x.map(at => (of.has(at) ? (value(/** @type {Group} */ (of.get(at))) ?? none) : none));
  const percent = (/** @type {number | undefined} */ v) => v && v * 100;
  return html`
    <div class="reports-charts">
      <${Chart} label=${t("reports.chart.days")} x=${x} lines=${[
        { name: t("reports.delivered"), color: "accent", bars: true, values: values(g => g.delivered, 0) },
        { name: t("reports.failed"), color: "bad", values: values(g => g.failed + g.returned, 0) },
      ]} />
      <${Chart} label=${t("reports.chart.shares")} x=${x} unit="%" most=${100} lines=${[
        { name: t("reports.on_time"), color: "good", values: values(g => percent(g.on_time_share)) },
        { name: t("reports.coverage"), color: "accent", values: values(g => percent(g.coverage)) },
      ]} />
      <${Chart} label=${t("reports.chart.times")} x=${x} unit=${t("reports.min")} lines=${[
        { name: t("reports.door"), color: "accent", values: values(g => g.door_minutes) },
        { name: t("reports.waiting"), color: "late", values: values(g => g.total_minutes) },
      ]} />
    </div>
  `;
}
