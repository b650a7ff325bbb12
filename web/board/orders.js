import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { dropping } from "../parts/drag.js";
import { Icon } from "../parts/icon.js";
import { Later } from "../parts/later.js";
import { Empty } from "../parts/notice.js";
import { Table } from "../parts/table.js";
import { html, useEffect } from "../vendor/preact.js";
import { Bulk } from "./bulk.js";
import { columns } from "./columns.js";
import { groups, statusesOf } from "./groups.js";
import { pinsOf } from "./places.js";
import { go, route } from "./route.js";
import { Views } from "./views.js";

const PAUSE = 300; // milliseconds after a key before the server is asked

/** The orders: groups, list, map. @param {import("./app.js").Props} props */
export function Orders(props) {
  const { board, boot, session, commands } = props;
  const { q = "", group, order } = route.value;
  useEffect(() => {
    if (group !== "done" && !q) return;
    const soon = setTimeout(() => board.loadDone(q).catch(() => {}), q ? PAUSE : 0);
    return () => clearTimeout(soon);
  }, [group, q]);
  const rows = board.rows.value;
  const may = session.can("assignCourier");
  const carried = (/** @type {any} */ o) => (board.selected.value.has(o.id) ? [...board.selected.value] : [o.id]).join(" ");
  return html`
    <div class=${`orders ${order ? "with-drawer" : ""}`}>
      <${Groups} board=${board} />
      <section class="orders-list" aria-label=${t("rail.orders")}>
        <${Bar} ...${props} />
        <${Table} rows=${rows} columns=${columns(props)} id=${(/** @type {any} */ o) => o.id} label=${t("rail.orders")} selected=${board.cursor.value}
          marked=${board.selected.value} onPick=${(/** @type {any} */ o) => commands.show(o.id)} drag=${may ? carried : undefined}
          empty=${board.state.value === "ready" && html`<${Nothing} ...${props} q=${q} />`} />
        <${Bulk} ...${props} />
      </section>
      <div class="orders-map">
        <${Places} board=${board} boot=${boot} rows=${rows} onDrop=${may ? commands.dropped : undefined} />
      </div>
    </div>
  `;
}

/**
 * The map; a component of its own, as it is drawn again with every position.
 * @param {{board: import("./board.js").Board, boot: import("../start.js").Boot, rows: import("./groups.js").Order[], onDrop: any}} props
 */
const Places = ({ board, boot, rows, onDrop }) => html`
  <${Later} load=${() => import("../parts/map/map.js")} part="MapView" label=${t("map.title")} base=${boot.map} ...${pinsOf(board, rows)} dropping=${onDrop && dropping(onDrop)} />
`;

/** The groups with their counts. @param {{board: import("./board.js").Board}} props */
function Groups({ board }) {
  const counts = board.counts.value;
  const { group, late } = route.value;
  const open = groups.filter(g => g !== "done").reduce((n, g) => n + counts[g], 0);
  /** @param {string} name @param {number | undefined} n @param {boolean} now @param {import("./route.js").Route} to */
  const line = (name, n, now, to) => html`
    <button type="button" aria-current=${now ? "true" : undefined} class=${`group-line ${name}`} onClick=${() => go(to)}>
      <span>${t(`group.${name}`)}</span>${n !== undefined && html`<span class="num">${n.toLocaleString(lang)}${name === "done" && counts.more && "+"}</span>`}
    </button>
  `;
  return html`
    <nav class="groups" aria-label=${t("groups.label")}>
      ${line("all", open, !group && !late, { group: "", late: "" })}
      ${groups.filter(g => g !== "done").map(g => line(g, counts[g], group === g, { group: g, late: "" }))}
      ${line("failed", counts.failed, group === "failed", { group: "failed", late: "" })}
      ${line("late", counts.late, late === "1", { group: "", late: "1" })}
      ${line("done", counts.done, group === "done", { group: "done", late: "" })}
      <${Views} />
    </nav>
  `;
}

/** Search and new order. @param {import("./app.js").Props} props */
function Bar({ session, commands }) {
  const { q = "" } = route.value;
  const search = (/** @type {any} */ e) => go({ q: e.target.value }, { replace: true });
  return html`
    <div class="orders-bar">
      <label class="search-box"><${Icon} name="search" /><span class="unseen">${t("search.label")}</span>
        <input class="search" type="search" value=${q} placeholder=${t("search.hint")} onInput=${search} /></label>
      ${session.can("exportOrders") && html`<${Button} icon="save" label=${t("orders.export")} href=${exported(route.value)} />`}
      ${session.can("importOrders") && html`<${Button} icon="load" label=${t("command.import")} onClick=${() => commands.open(commands.importing)} />`}
      ${session.can("createOrder") && html`<${Button} kind="main" icon="plus" onClick=${() => commands.open(commands.creating)}>${t("command.create")}<//>`}
    </div>
  `;
}

/** Where the listed orders are as a file that spreadsheets open. @param {import("./route.js").Route} filter */
function exported({ group, q, courier }) {
  const query = new URLSearchParams({
    format: "csv",
    excel: "true",
    active: String(group !== "done"),
    ...(q && { q }),
    ...(courier && { courier_id: courier }),
  });
  for (const status of group && group !== "done" ? statusesOf(group) : []) query.append("status", status);
  return `/orders/export?${query}`;
}

/** @param {import("./app.js").Props & {q: string}} props */
function Nothing({ q, session, commands }) {
  if (q)
    return html`<${Empty} icon="search" title=${t("orders.none", { q })} action=${html`<${Button} onClick=${() => go({ q: "" })}>${t("search.clear")}<//>`} />`;
  const first =
    session.can("createOrder") && html`<${Button} kind="main" icon="plus" onClick=${() => commands.open(commands.creating)}>${t("command.create")}<//>`;
  return html`<${Empty} icon="box" title=${t("orders.empty")} action=${first}>${t("orders.empty.text")}<//>`;
}
