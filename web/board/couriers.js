import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { Later } from "../parts/later.js";
import { Empty } from "../parts/notice.js";
import { Table } from "../parts/table.js";
import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { acceptance, loadAcceptance } from "./acceptance.js";
import { battery, dutyOf, heard, silent } from "./contact.js";
import { CourierDrawer } from "./courier.js";
import { fold } from "./groups.js";
import { NewCourier } from "./new-courier.js";
import { courierPin } from "./places.js";
import { go, route } from "./route.js";

/** @typedef {import("./board.js").Courier} Courier */

/** The couriers: list and map. @param {import("./app.js").Props} props */
export function Couriers(props) {
  const { board, boot, session } = props;
  const [text, setText] = useState("");
  const [adding, setAdding] = useState(false);
  const [trail, setTrail] = useState(/** @type {[number, number][]} */ ([]));
  const { courier } = route.value;
  useEffect(() => {
    loadAcceptance(session);
    board.loadCouriers().then(
      () => board.redraw(),
      () => {}, // the stream keeps the list; only its loads are older
    );
  }, []);
  useEffect(() => setTrail([]), [courier]);
  const now = board.now.value;
  const rows = useMemo(() => sorted([...board.couriers.values()], text, now), [board.changed.value, now, text]);
  return html`
    <div class="orders couriers">
      <section class="orders-list" aria-label=${t("rail.couriers")}>
        <div class="orders-bar">
          <label class="search-box"><${Icon} name="search" /><span class="unseen">${t("couriers.find")}</span>
            <input class="search" type="search" value=${text} placeholder=${t("couriers.find")} onInput=${(/** @type {any} */ e) => setText(e.target.value)} /></label>
          ${session.can("createCourier") && html`<${Button} kind="main" icon="plus" onClick=${() => setAdding(true)}>${t("couriers.add")}<//>`}
        </div>
        <${Table} rows=${rows} columns=${columns(now)} id=${(/** @type {Courier} */ c) => c.id} label=${t("rail.couriers")} selected=${courier}
          onPick=${(/** @type {Courier} */ c) => go({ courier: c.id })} empty=${board.state.value === "ready" && html`<${Empty} icon="people" title=${t("couriers.empty")}>${t("couriers.empty.text")}<//>`} />
      </section>
      <div class="orders-map">
        <${Places} board=${board} boot=${boot} rows=${rows} courier=${courier} trail=${trail} />
      </div>
      ${courier && html`<${CourierDrawer} key=${courier} id=${courier} show=${setTrail} ...${props} />`}
      <${NewCourier} open=${adding} close=${() => setAdding(false)} board=${board} />
    </div>
  `;
}

/** Those who are silent first, then those on duty, by name. @param {Courier[]} couriers @param {string} text @param {number} now */
function sorted(couriers, text, now) {
  const names = new Intl.Collator(lang);
  const rank = new Map(couriers.map(c => [c, silent(c, now) ? 0 : c.on_duty ? 1 : 2]));
  const rankOf = (/** @type {Courier} */ c) => rank.get(c) ?? 0;
  return couriers.filter(c => fold(`${c.name} ${c.phone ?? ""}`).includes(fold(text))).sort((a, b) => rankOf(a) - rankOf(b) || names.compare(a.name, b.name));
}

/**
 * The map; a component of its own, as it is drawn again with every position.
 * @param {{board: import("./board.js").Board, boot: import("../start.js").Boot, rows: Courier[], courier?: string, trail: [number, number][]}} props
 */
function Places({ board, boot, rows, courier, trail }) {
  board.moved.value;
  const pins = rows.filter(c => c.on_duty || c.id === courier).flatMap(c => courierPin(c) ?? []);
  return html`<${Later} load=${() => import("../parts/map/map.js")} part="MapView" label=${t("map.title")} base=${boot.map} pins=${pins} trail=${trail} steady />`;
}

/** @param {number} now @returns {import("../parts/table.js").Column<Courier>[]} */
const columns = now => [
  {
    key: "vehicle",
    title: "",
    width: "28px",
    cell: c => html`<span class=${c.on_duty ? "with" : "idle"}><${Icon} name=${c.vehicle ?? "people"} label=${dutyOf(c)} /></span>`,
  },
  {
    key: "name",
    title: t("column.courier"),
    cell: c => html`<span dir="auto">${c.name}</span>${c.break_since && html` <span class="quiet small">${dutyOf(c)}</span>`}`,
  },
  { key: "load", title: t("column.load"), width: "64px", end: true, cell: c => t("assign.load", { n: c.active_orders ?? 0, of: c.capacity ?? 0 }) },
  { key: "acceptance", title: t("column.acceptance"), width: "76px", end: true, cell: c => acceptance(c.id) },
  { key: "battery", title: t("column.battery"), width: "60px", end: true, cell: c => battery(c) },
  {
    key: "heard",
    title: t("column.heard"),
    width: "100px",
    end: true,
    cell: c => html`<span class=${silent(c, now) ? "late-mark" : ""}>${heard(c, now)}</span>`,
  },
];
