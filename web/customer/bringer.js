import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { metres } from "../parts/map/glide.js";
import { inCustody } from "../parts/status.js";
import { date } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { callLink } from "../start.js";
import { html } from "../vendor/preact.js";
import { carrierName } from "./story.js";

/** Who brings it: a courier, a carrier, or a carrier's courier. @param {{store: import("./store.js").Store, order: import("./story.js").Order, zone?: string}} props */
export const Bringer = ({ store, order, zone }) =>
  html`${order.shipment && html`<${Parcel} order=${order} />`}<${Courier} store=${store} order=${order} />${order.shipment && html`<${Office} order=${order} zone=${zone} />`}`;

/** The courier who brings it. @param {{store: import("./store.js").Store, order: import("./story.js").Order}} props */
function Courier({ store, order }) {
  const courier = store.courier.value;
  if (!courier?.name) return null;
  const [position, home] = [store.position.value, order.dropoff.location];
  const about = [courier.vehicle && t(`vehicle.${courier.vehicle}`), position && home && !position.stale && distance(metres(position, home))].filter(Boolean);
  const phone = dialable(courier.phone);
  const call = callLink(inCustody(order.status) ? store.callTemplate : undefined, order, "customer") ?? (phone && `tel:${phone}`);
  return html`
    <section class="card courier">
      <span class="avatar"><${Icon} name=${courier.vehicle ?? "people"} /></span>
      <div class="courier-text"><p class="strong" dir="auto">${courier.name}</p><p class="small quiet num">${about.join(" · ")}</p></div>
      ${call && html`<${Button} icon="phone" href=${call}>${t("courier.call")}<//>`}
    </section>
  `;
}

/** @param {number} away metres */
function distance(away) {
  if (away < 30) return "";
  const text =
    away < 950
      ? t("map.metres", { n: Math.round(away / 50) * 50 || 50 })
      : t("map.kilometres", { n: Number((away / 1000).toLocaleString("en", { maximumFractionDigits: away < 9500 ? 1 : 0 })) });
  return t("courier.away", { distance: text }).replaceAll(" ", "\u00a0");
}

/** Whether a phone number can be called, that is, isn't masked. @param {string} [phone] */
const dialable = phone => (phone && /^\+?[\d ()-]{5,}$/.test(phone) ? phone.replace(/[^\d+]/g, "") : "");

/** The parcel's carrier and number. @param {{order: import("./story.js").Order}} props */
function Parcel({ order }) {
  const shipment = order.shipment;
  if (!shipment) return null;
  const number = shipment.tracking_number;
  const copy = () => navigator.clipboard?.writeText(number ?? "").then(() => say(t("parcel.copied")));
  return html`
    <section class="card courier">
      <span class="avatar"><${Icon} name="box" /></span>
      <div class="courier-text">
        <p class="strong">${carrierName(shipment.carrier)}</p>
        ${number && html`<p class="small quiet"><span class="unseen">${t("parcel.number")} </span><span class="num">${number}</span></p>`}
      </div>
      ${number && navigator.clipboard && html`<${Button} icon="copy" label=${t("parcel.copy")} onClick=${copy} />`}
    </section>
  `;
}

/** The pickup point, its hours and the last day of storage. @param {{order: import("./story.js").Order, zone?: string}} props */
function Office({ order, zone }) {
  const office = order.shipment?.pickup;
  if (!office?.address) return null;
  const kept = office.kept_until && date(Date.parse(office.kept_until), { lang, zone });
  return html`
    <section class="card">
      <h2>${t("office.title")}</h2>
      <dl class="places office">
        <dt>${t("office.address")}</dt><dd dir="auto">${office.name && html`<span class="strong">${office.name}</span><br />`}${office.address}</dd>
        ${office.hours && html`<dt>${t("office.hours")}</dt><dd dir="auto">${office.hours}</dd>`}
        ${office.notes && html`<dt>${t("office.find")}</dt><dd dir="auto">${office.notes}</dd>`}
        ${kept && html`<dt>${t("office.until")}</dt><dd class="strong">${kept}</dd>`}
      </dl>
    </section>
  `;
}
