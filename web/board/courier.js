import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Notice } from "../parts/notice.js";
import { StatusMark } from "../parts/status-mark.js";
import { clock, span } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { acceptanceOf, loadAcceptance } from "./acceptance.js";
import { whyNot } from "./actions.js";
import { when } from "./columns.js";
import { battery, dutyOf, heard, lost, silent } from "./contact.js";
import { Phone } from "./phone.js";
import { go } from "./route.js";
import { Tour } from "./tour.js";
import { Trail } from "./trail.js";

/** @typedef {import("./board.js").Courier} Courier */

/**
 * One courier: duty, tour, shift, phone, the day's trail.
 * @param {import("./app.js").Props & {id: string, show: (trail: [number, number][]) => void}} props
 */
export function CourierDrawer({ id, show, ...props }) {
  const { board, session } = props;
  board.changed.value;
  const c = board.couriers.get(id);
  useEffect(() => {
    loadAcceptance(session);
    call("GET", `/courier/${id}`).then(
      found => {
        board.meet(found);
        board.redraw();
      },
      reason => say(whyNot(reason, board), { kind: "bad" }),
    );
  }, [id]);
  if (!c) return null;
  const now = board.now.value;
  const duty = async () => {
    try {
      const changed = await call("PATCH", `/courier/${id}`, { body: { on_duty: !c.on_duty } });
      board.meet(changed);
      board.redraw();
    } catch (reason) {
      say(whyNot(reason, board), { kind: "bad" });
    }
  };
  const why = c.last_contact?.dropped_reason;
  return html`
    <aside class="drawer" aria-label=${c.name}>
      <header class="drawer-head">
        <h2 dir="auto">${c.name}</h2>
        <${Button} kind="quiet" icon="close" label=${t("close")} onClick=${() => go({ courier: "" })} />
      </header>
      <div class="drawer-body">
        ${silent(c, now) && html`<${Notice} kind="late" title=${t(lost(c) ? "courier.no_position" : "courier.silent")}>${why ? t(`dropped.${why}`) : t("courier.silent.text")}<//>`}
        <section class="card">
          <dl class="facts">
            <dt>${t("fact.phone")}</dt><dd>${c.phone ? html`<a href=${`tel:${c.phone}`}>${c.phone}</a>` : t("none")}</dd>
            <dt>${t("courier.duty")}</dt><dd>${dutyOf(c)}</dd>
            <dt>${t("courier.vehicle")}</dt><dd>${c.vehicle && t(`vehicle.${c.vehicle}`)}</dd>
            <dt>${t("column.load")}</dt><dd class="num">${t("assign.load", { n: c.active_orders ?? 0, of: c.capacity ?? 0 })}</dd>
            <dt>${t("column.heard")}</dt><dd>${[heard(c, now), battery(c)].filter(Boolean).join(" · ")}</dd>
            ${c.last_contact?.clock_off_s ? html`<dt>${t("courier.clock")}</dt><dd class="num">${t("courier.clock.off", { n: Math.round(c.last_contact.clock_off_s) })}</dd>` : null}
            ${session.staff && html`<dt>${t("courier.acceptance")}</dt><dd>${acceptanceOf(id)}</dd>`}
          </dl>
          ${session.can("editCourier") && html`<${Button} onClick=${duty}>${t(c.on_duty ? "courier.go_off" : "courier.go_on")}<//>`}
        </section>
        <${Shift} id=${id} now=${now} />
        <${Tour} id=${id} ...${props} />
        <${Hand} id=${id} ...${props} />
        <${Trail} id=${id} board=${board} show=${show} />
        ${session.can("onboardCourier") && html`<${Phone} id=${id} board=${board} />`}
      </div>
    </aside>
  `;
}

/** The orders in hand. @param {import("./app.js").Props & {id: string}} props */
function Hand({ id, board, commands }) {
  const orders = board.ordersOf(id);
  if (!orders.length) return null;
  return html`
    <section class="card">
      <h3>${t("courier.orders")}</h3>
      <ul class="hand">
        ${orders.map(
          o =>
            html`<li><button type="button" class="link" onClick=${() => commands.show(o.id)}><${StatusMark} status=${o.status} bare /><span class="num">${o.number}</span><span dir="auto">${o.dropoff?.address}</span><span class="num">${when(Date.parse(o.promised_at ?? ""), board.now.value, o.timezone)}</span></button></li>`,
        )}
      </ul>
    </section>
  `;
}

/** The shift under way or the next one. @param {{id: string, now: number}} props */
function Shift({ id, now }) {
  const [shifts, setShifts] = useState(/** @type {import("#api").components["schemas"]["Shift"][]} */ ([]));
  useEffect(() => {
    call("GET", `/courier/${id}/shifts`).then(
      told => setShifts(told.shifts ?? []),
      () => {}, // nobody planned any
    );
  }, [id]);
  const next = shifts.find(s => Date.parse(s.end) > now);
  if (!next) return null;
  const [from, to] = [Date.parse(next.start), Date.parse(next.end)];
  const text = from > now ? span(from, to, { lang }) : t("shift.until", { time: clock(to, { lang }) });
  return html`<section class="card"><h3>${t("shift.title")}</h3><p class="num">${text}</p></section>`;
}
