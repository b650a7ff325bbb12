import { has, lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { money } from "../parts/money.js";
import { Notice } from "../parts/notice.js";
import { ended } from "../parts/status.js";
import { span } from "../parts/time.js";
import { html, useState } from "../vendor/preact.js";
import { act } from "./actions.js";
import { carriedBy, when } from "./columns.js";
import { EditOrder } from "./edit.js";
import { go } from "./route.js";

/** What the order is. @param {import("./app.js").Props & {order: import("./groups.js").Order}} props */
export function Facts({ order, board, session }) {
  const [editing, setEditing] = useState(false);
  const now = board.now.value;
  const at = (/** @type {string | undefined} */ time) => time && when(Date.parse(time), now, order.timezone);
  const eta = order.eta;
  const window = eta && span(Date.parse(eta.earliest), Date.parse(eta.latest), { lang, zone: order.timezone });
  /** @type {[string, any][]} */
  const facts = [
    ["customer", order.customer?.name],
    ["phone", order.customer?.phone && html`<a href=${`tel:${order.customer.phone}`}>${order.customer.phone}</a>`],
    ["to", place(order.dropoff)],
    ["from", place(order.pickup)],
    ["promised", at(order.promised_at)],
    order.delivered_at ? ["delivered", at(order.delivered_at)] : ["expected", window],
    ["ready", at(order.ready_at)],
    [
      "courier",
      order.courier_id
        ? html`<button type="button" class="link" onClick=${() => go({ view: "couriers", courier: order.courier_id ?? "", order: "" })}>${carriedBy(board, order) || t("order.courier")}</button>`
        : carriedBy(board, order),
    ],
    ["total", order.total && money(order.total, lang)],
    ["due", order.payment?.due && money(order.payment.due, lang)],
    ["received", order.payment?.received && money(order.payment.received, lang)],
    ["external", order.external_id],
    ["merchant", order.merchant_id],
    ["notes", order.notes],
    ["instructions", order.instructions],
    ["attempts", order.attempts || undefined],
  ];
  return html`
    ${order.exception && html`<${Notice} kind="bad" title=${t("order.exception")} action=${session.can("editOrder") && html`<${Button} onClick=${() => act(board, order, { method: "PATCH", path: "", body: { exception: null } }, t("done.solved"))}>${t("order.solved")}<//>`}>${exceptionName(order.exception)}<//>`}
    <section class="card">
      <dl class="facts">${facts.filter(([, value]) => value).map(([name, value]) => html`<dt>${t(`fact.${name}`)}</dt><dd dir="auto">${value}</dd>`)}</dl>
      ${session.can("editOrder") && html`<${Button} kind="quiet" icon="edit" onClick=${() => setEditing(true)}>${t("order.edit")}<//>`}
    </section>
    ${(order.items ?? []).length > 0 && html`<section class="card"><ul class="items">${order.items?.map(i => html`<li><span class="quiet num">${i.quantity}\u00a0×</span><span dir="auto">${i.name}</span><span class="num">${i.price && money({ ...i.price, amount: i.price.amount * i.quantity }, lang)}</span></li>`)}</ul></section>`}
    ${order.shipment && html`<${Parcel} order=${order} />`}
    <${EditOrder} order=${order} board=${board} open=${editing} close=${() => setEditing(false)} />
  `;
}

/** What a problem is, in words. @param {{code: string, detail?: string}} x */
export const exceptionName = x => (x.code === "no_taker" ? t("alert.no_taker") : x.detail || x.code);

/** @param {{address?: string, notes?: string} | undefined} p */
const place = p => p && [p.address, p.notes].filter(Boolean).join(" · ");

/** The parcel at a carrier. @param {{order: import("./groups.js").Order}} props */
function Parcel({ order }) {
  const s = order.shipment;
  if (!s) return null;
  return html`
    <section class="card">
      <h3>${s.carrier.toUpperCase()} ${s.tracking_number}</h3>
      <p class="small quiet">${s.carrier_status_text ?? s.phase}</p>
      ${(ended(order.status) ? [] : (s.warnings ?? [])).map(w => html`<p class="small late-mark">${has(`warning.${w.code}`) ? t(`warning.${w.code}`) : (w.message ?? w.code)}</p>`)}
      ${s.label_url && html`<${Button} icon="note" href=${s.label_url}>${t("parcel.label")}<//>`}
    </section>
  `;
}
