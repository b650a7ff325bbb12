// What is known of an order beside its facts: incidents, the way it went, proofs of delivery, messages, its history.
import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Later } from "../parts/later.js";
import { ago } from "../parts/time.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { nameOf } from "./actions.js";
import { Incidents } from "./incidents.js";
import { Past } from "./past.js";
import { bringerPin } from "./places.js";

/** @typedef {import("./app.js").Props & {order: import("./groups.js").Order}} OrderProps */

/** @param {OrderProps} props */
export function Record(props) {
  const { order, board, boot, session } = props;
  const way = useRead("track", order, board);
  const { proofs = [] } = useRead("proof", order, board, session.can("listProofs"));
  const { notifications = [] } = useRead("notifications", order, board, session.can("listNotifications"));
  const now = board.now.value;
  const since = (/** @type {string} */ time) => ago(Math.min(Date.parse(time), now), now, { lang });
  return html`
    <${Incidents} ...${props} />
    <${Way} way=${way} order=${order} board=${board} boot=${boot} />
    ${proofs.map((/** @type {any} */ p) => html`<${Proof} key=${p.id} proof=${p} who=${[nameOf(p.actor, board) || t(`actor.${p.actor?.kind}`), since(p.occurred_at)].join(" · ")} />`)}
    ${
      notifications.length > 0 &&
      html`
        <section class="card">
          <h3>${t("record.messages")}</h3>
          <ul class="messages">
            ${notifications.map(
              (/** @type {any} */ n) => html`
                <li><span>${n.template ? t(`text.${n.template}`) : t("record.by_hand")}</span><span class="quiet">${t(`channel.${n.channel}`)}</span>
                  <span class=${["exhausted", "refused"].includes(n.status) ? "late-mark" : "quiet"} title=${n.error}>${t(`delivery.${n.status}`)} ${n.tried_at && since(n.tried_at)}</span></li>
              `,
            )}
          </ul>
        </section>
      `
    }
    <${Past} ...${props} />
  `;
}

/** Reads a part of an order, again when the order changes. @param {string} part @param {import("./groups.js").Order} order @param {import("./board.js").Board} board @param {boolean} [may] */
function useRead(part, order, board, may = true) {
  const [read, setRead] = useState(/** @type {any} */ ({}));
  useEffect(() => {
    if (may) call("GET", `/order/${order.id}/${part}`).then(setRead, () => {}); // the next change asks again
  }, [order.id, order.version, board.noted.get(order.id)]);
  return read;
}

/** The map of one order; a component of its own, as it is drawn again with every position. @param {Pick<OrderProps, "order" | "board" | "boot"> & {way: any}} props */
function Way({ way, order, board, boot }) {
  board.moved.value;
  const [from, to] = [order.pickup?.location, order.dropoff?.location];
  const pins = [
    from && { id: "shop", kind: "shop", ...from, label: t("map.shop") },
    to && { id: "door", kind: "home", ...to, label: t("map.door", { number: order.number ?? "" }) },
    bringerPin(board, order),
  ].filter(Boolean);
  if (!pins.length) return null;
  return html`
    <section class="card" aria-label=${t("record.way")}>
      <div class="small-map"><${Later} load=${() => import("../parts/map/map.js")} part="MapView" label=${t("record.way")} base=${boot.map} pins=${pins} trail=${(way.trail ?? []).map((/** @type {any} */ p) => [p.lat, p.lon])} /></div>
    </section>
  `;
}

/** @param {{proof: any, who: string}} props */
const Proof = ({ proof, who }) => html`
  <section class="card proof">
    <h3>${t("record.proof")}</h3>
    ${proof.recipient && html`<p dir="auto">${t("proof.to", { name: proof.recipient })}</p>`}
    ${proof.note && html`<p dir="auto">${proof.note}</p>`}
    ${proof.kinds.includes("pin") && html`<p>${t("record.pin")}</p>`}
    ${proof.offline && html`<p class="late-mark">${t("record.offline")}</p>`}
    ${[
      [proof.photo_url, "proof.photo"],
      [proof.signature_url, "record.signature"],
    ].map(([url, name]) => url && html`<a href=${url} target="_blank" rel="noreferrer"><img src=${url} alt=${t(name)} loading="lazy" /></a>`)}
    <p class="small quiet">${who}</p>
  </section>
`;
