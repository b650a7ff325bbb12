import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Empty, Notice } from "../parts/notice.js";
import { Toasts } from "../parts/toast.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { Alerts } from "./alerts.js";
import { Assign } from "./assign.js";
import { Commands } from "./commands.js";
import { Drawer } from "./drawer.js";
import { Login } from "./login.js";
import { MakeOffer } from "./offers.js";
import { Orders } from "./orders.js";
import { Help, Palette } from "./palette.js";
import { Rail } from "./rail.js";
import { room } from "./room.js";
import { route } from "./route.js";

/** @typedef {{boot: import("../start.js").Boot, session: import("./session.js").Session, board: import("./board.js").Board, commands: Commands}} Props what every view gets */

const Couriers = room(() => import("./couriers.js"), "Couriers", "couriers");
const Plan = room(() => import("./plan.js"), "Plan", "plan");
const Reports = room(() => import("./reports/reports.js"), "Reports", "reports");
const Settings = room(() => import("./settings.js"), "Settings", "settings", "record");
const Create = room(() => import("./create.js"), "Create", "create");
const Import = room(() => import("./import.js"), "Import", "import");

const views = { orders: Orders, couriers: Couriers, plan: Plan, alerts: Alerts, reports: Reports, settings: Settings };

/** @param {{boot: import("../start.js").Boot, session: import("./session.js").Session, board: import("./board.js").Board}} props */
export function App({ boot, session, board }) {
  const state = session.state.value;
  if (state === "out") return html`<${Login} boot=${boot} session=${session} />`;
  if (state === "trouble")
    return html`<main class="board-alone"><${Empty} icon="offline" title=${t("board.unreachable")}>${t("board.unreachable.text")}<//></main>`;
  if (state === "loading") return html`<${Bones} />`;
  if (!session.can("listOrders")) return html`<${Elsewhere} session=${session} />`;
  return html`<${Shell} boot=${boot} session=${session} board=${board} />`;
}

/** @param {{boot: import("../start.js").Boot, session: import("./session.js").Session, board: import("./board.js").Board}} props */
function Shell({ boot, session, board }) {
  const [commands] = useState(() => new Commands(board, session));
  useEffect(() => commands.listen(), []);
  const creates = useRef(false);
  creates.current ||= commands.creating.value; // from then on, as what was written stays
  const { view = "orders", order } = route.value;
  const found = views[/** @type {keyof typeof views} */ (view)] ?? Orders;
  const props = { boot, session, board, commands };
  return html`
    <div class="board">
      <${Rail} ...${props} />
      <main class="board-main" aria-busy=${board.state.value === "loading" ? "true" : undefined}>
        ${board.live.value === "waiting" && html`<${Notice} kind="offline" live>${t("board.offline")}<//>`}
        <${found} ...${props} />
      </main>
      ${order && html`<${Drawer} key=${order} id=${order} ...${props} />`}
      <${Palette} ...${props} /><${Help} ...${props} /><${Assign} ...${props} /><${MakeOffer} ...${props} />
      ${creates.current && html`<${Create} ...${props} />`}
      ${commands.importing.value && html`<${Import} ...${props} />`}
      <${Toasts} />
    </div>
  `;
}

/** For who has no orders to look after: a courier has an app. @param {{session: import("./session.js").Session}} props */
function Elsewhere({ session }) {
  const courier = session.me.value?.role === "courier";
  const action = courier
    ? html`<${Button} kind="main" href="/courier-app">${t("elsewhere.courier")}<//>`
    : html`<${Button} onClick=${() => session.signOut()}>${t("me.leave")}<//>`;
  return html`<main class="board-alone"><${Empty} icon="people" title=${t("elsewhere.title")} action=${action}>${t(courier ? "elsewhere.courier.text" : "elsewhere.text")}<//></main>`;
}

/** The shape of what comes. */
const Bones = () => html`
  <div class="board" aria-busy="true">
    <nav class="rail"></nav>
    <main class="board-main"><div class="bones">${[...Array(14)].map(() => html`<div class="bone"></div>`)}</div></main>
  </div>
`;
