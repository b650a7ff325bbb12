import { call, Refusal } from "../api.js";
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Empty } from "../parts/notice.js";
import { ended, inCustody } from "../parts/status.js";
import { StatusMark } from "../parts/status-mark.js";
import { html, useEffect, useRef, useState } from "../vendor/preact.js";
import { act, cancel, moveTo } from "./actions.js";
import { lateWord } from "./columns.js";
import { Facts } from "./drawer-facts.js";
import { room } from "./room.js";
import { go } from "./route.js";
import { Sharing } from "./sharing.js";
import { Sure } from "./sure.js";

const Record = room(() => import("./record.js"), "Record", "record");

/** One order: what it is, what happened, what can be done. @param {import("./app.js").Props & {id: string}} props */
export function Drawer({ id, ...props }) {
  const { board } = props;
  board.changed.value; // redraws with the order
  const order = board.orders.get(id);
  const [gone, setGone] = useState(false);
  const follows = Boolean(order?.shipment && inCustody(order.status) && !order.courier_id);
  useEffect(() => {
    if (!follows) return;
    board.stream?.subscribe(`order:${id}`);
    return () => {
      board.stream?.unsubscribe(`order:${id}`);
      board.performers.delete(id); // it would grow old
    };
  }, [id, follows]);
  const steps = useSteps(id, order);
  const head = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    board.fetch(id).catch(reason => setGone(reason instanceof Refusal && reason.final));
    head.current?.focus({ preventScroll: true });
  }, [id]);
  return html`
    <aside class="drawer" aria-label=${t("page.order", { number: order?.number ?? "" })}>
      <header class="drawer-head" tabindex="-1" ref=${head}>
        ${order && html`<h2 class="num">${order.number}</h2><${StatusMark} status=${order.status} />`}
        <span class="late-mark small">${order && lateWord(order, board.now.value)}</span>
        <${Button} kind="quiet" icon="close" label=${t("close")} onClick=${() => go({ order: "" })} />
      </header>
      ${gone && html`<${Empty} icon="box" title=${t("drawer.gone")} />`}
      ${order && !steps && html`<div class="drawer-body" aria-busy="true">${[...Array(3)].map(() => html`<div class="card bone"></div>`)}</div>`}
      ${order && steps && html`<${Actions} steps=${steps} order=${order} ...${props} /><div class="drawer-body"><${Facts} order=${order} ...${props} /><${Sharing} order=${order} ...${props} /><${Record} order=${order} ...${props} /></div>`}
    </aside>
  `;
}

const PATIENCE = 3000; // milliseconds that an order waits for its steps

/**
 * The steps that an order can take next; undefined until they are known, as their buttons would push down what is below them.
 * They are asked for at once, also while the order itself is still being loaded.
 * @param {string} id @param {import("./groups.js").Order | undefined} order
 */
function useSteps(id, order) {
  const [steps, setSteps] = useState(/** @type {string[] | undefined} */ (undefined));
  const of = useRef(/** @type {string | undefined} */ (undefined)); // the status that they belong to
  useEffect(() => {
    if (order && order.status === of.current) return;
    if (order && ended(order.status)) return setSteps([]);
    const enough = setTimeout(() => setSteps(known => known ?? []), PATIENCE);
    call("GET", `/order/${id}/status`).then(
      told => {
        of.current = told.status;
        setSteps(told.allowed_transitions ?? []);
      },
      () => setSteps(known => known ?? []), // without it there are fewer buttons
    );
    return () => clearTimeout(enough);
  }, [id, order?.status]);
  return steps;
}

/** @param {import("./app.js").Props & {order: import("./groups.js").Order, steps: string[]}} props */
function Actions({ order, steps, board, session, commands }) {
  const [asking, setAsking] = useState("");
  const next = steps.filter(s => !["assigned", "cancelled"].includes(s));
  const grave = ["returning", "failed", "returned", "delivery_failed"];
  const take = (/** @type {string} */ status) => (grave.includes(status) ? setAsking(status) : act(board, order, moveTo(status), t(`mark.${status}`)));
  const main = next.find(s => !grave.includes(s) && !(s === "confirmed" && order.status !== "created"));
  const rest = next.filter(s => s !== main);
  const may = session.can("updateOrderStatus");
  return html`
    <div class="drawer-actions">
      ${steps.includes("assigned") && session.can("assignCourier") && html`<${Button} kind=${order.courier_id ? "plain" : "main"} icon="people" onClick=${() => commands.assign([order.id])}>${t(order.courier_id ? "order.reassign" : "command.assign")}<//>`}
      ${steps.includes("assigned") && session.can("offerOrder") && !order.courier_id && html`<${Button} onClick=${() => commands.offer(order.id)}>${t("command.offer")}<//>`}
      ${may && main && html`<${Button} onClick=${() => take(main)}>${t(`mark.${main}`)}<//>`}
      ${
        may &&
        rest.length > 0 &&
        html`
          <select class="choice" aria-label=${t("order.more")} onChange=${(/** @type {any} */ e) => {
            if (e.target.value) take(e.target.value);
            e.target.value = "";
          }}>
            <option value="">${t("order.more")}</option>
            ${rest.map(s => html`<option value=${s}>${s === "confirmed" && order.courier_id ? t("order.unassign") : t(`mark.${s}`)}</option>`)}
          </select>
        `
      }
      ${steps.includes("cancelled") && session.can("cancelOrder") && html`<${Button} kind="danger" onClick=${() => setAsking("cancelled")}>${t("order.cancel")}<//>`}
      <${Sure} what=${asking} order=${order} close=${() => setAsking("")} sure=${(/** @type {string} */ reason) =>
        act(board, order, asking === "cancelled" ? cancel(reason) : moveTo(asking, reason), t(`mark.${asking}`))} />
    </div>
  `;
}
