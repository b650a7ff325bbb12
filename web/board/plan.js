import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { Later } from "../parts/later.js";
import { Empty } from "../parts/notice.js";
import { clock } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { whyNot } from "./actions.js";
import { courierPin } from "./places.js";

/** @typedef {import("#api").components["schemas"]["Proposal"]} Proposal */

/** Who would carry what, before it is done. @param {import("./app.js").Props} props */
export function Plan({ board, boot, session, commands }) {
  const [plan, setPlan] = useState(/** @type {Proposal | undefined} */ (undefined));
  const [busy, setBusy] = useState(false);
  const ask = async (/** @type {string} */ what) => {
    setBusy(true);
    try {
      const told = await call("POST", `/dispatch/${what}`, { body: {} });
      setPlan(told);
      if (what === "run") say(t("plan.done", { n: told.assignments.length }));
    } catch (reason) {
      say(whyNot(reason, board), { kind: "bad" });
    }
    setBusy(false);
  };
  useEffect(() => void ask("plan"), []);
  const assignments = plan?.assignments ?? [];
  const left = plan?.unassigned ?? [];
  return html`
    <div class="orders plan">
      <section class="orders-list plan-list" aria-label=${t("rail.plan")}>
        <div class="orders-bar">
          <h1>${t("rail.plan")}</h1>
          <${Button} icon="again" busy=${busy} onClick=${() => ask("plan")}>${t("plan.again")}<//>
          ${session.can("runDispatch") && html`<${Button} kind="main" icon="check" busy=${busy} disabled=${!assignments.length} onClick=${() => ask("run")}>${t("plan.run", { n: assignments.length })}<//>`}
        </div>
        <div class="plan-body">
          ${plan && !assignments.length && !left.length && html`<${Empty} icon="route" title=${t("plan.empty")}>${t("plan.empty.text")}<//>`}
          <ul class="proposals">
            ${assignments.map(
              a => html`
                <li><button type="button" class="link" onClick=${() => commands.show(a.order_id)}>
                  <span class="num">${board.orders.get(a.order_id)?.number}</span><${Icon} name="right" /><span class="strong" dir="auto">${board.nameOf(a.courier_id)}</span>
                  <span class="num quiet">${clock(Date.parse(a.pickup_at), { lang })} – ${clock(Date.parse(a.dropoff_at), { lang })}</span><span class="small quiet" title=${a.detail}>${t("plan.stops", { n: a.stops_before })}, ${t("plan.leave", { time: clock(Date.parse(a.leave_at), { lang }) })}</span>
                </button></li>
              `,
            )}
          </ul>
          ${left.length > 0 && html`<h2>${t("plan.left", { n: left.length })}</h2>`}
          <ul class="proposals">
            ${left.map(u => html`<li><button type="button" class="link" onClick=${() => commands.show(u.order_id)}><span class="num">${board.orders.get(u.order_id)?.number}</span><span>${t(`reason.${u.reason}`)}</span></button></li>`)}
          </ul>
        </div>
      </section>
      <div class="orders-map"><${Later} load=${() => import("../parts/map/map.js")} part="MapView" label=${t("map.title")} base=${boot.map} ...${ghosts(board, assignments)} steady /></div>
    </div>
  `;
}

/** The proposed ways: from the courier to the pick-up to the door. @param {import("./board.js").Board} board @param {Proposal["assignments"]} assignments */
function ghosts(board, assignments) {
  /** @type {import("../parts/map/marker.js").Pin[]} */
  const pins = [];
  /** @type {[number, number][][]} */
  const lines = [];
  for (const a of assignments) {
    const order = board.orders.get(a.order_id);
    const courier = board.couriers.get(a.courier_id);
    const pin = courier && courierPin(courier);
    if (pin && !pins.some(p => p.id === pin.id)) pins.push(pin);
    const shop = order?.pickup?.location;
    const door = order?.dropoff?.location;
    if (shop) pins.push({ id: `${a.order_id} shop`, kind: "shop", ...shop, label: t("map.shop") });
    if (door) pins.push({ id: a.order_id, kind: "home", ...door, label: t("map.door", { number: order?.number ?? "" }) });
    lines.push([pin, shop, door].flatMap(p => (p ? [/** @type {[number, number]} */ ([p.lat, p.lon])] : [])));
  }
  return { pins, ghosts: lines.filter(l => l.length > 1) };
}
