import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { Icon } from "../parts/icon.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { act } from "./actions.js";
import { Candidates } from "./candidates.js";

/** @typedef {{id: string, courier: string, status: string, until: number, reason?: string}} Offer */

const ends = new Set(["accepted", "declined", "expired", "withdrawn"]);

/** The offers in an order's history, the newest first. @param {any[]} events @returns {Offer[]} */
export function offersIn(events) {
  /** @type {Map<string, Offer>} */
  const found = new Map();
  for (const e of events) {
    const [what, status] = e.type.split(".");
    if (what !== "offer" || !e.data?.offer_id) continue;
    const { offer_id: id, courier_id: courier, expires_at, reason } = e.data;
    found.set(id, { id, courier, status: ends.has(status) ? status : "open", until: Date.parse(expires_at), reason: reason ?? e.reason });
  }
  return [...found.values()].reverse();
}

/** Who was asked, and what came of it. @param {{events: any[], board: import("./board.js").Board}} props */
export function Offers({ events, board }) {
  const offers = offersIn(events);
  const [now, setNow] = useState(board.clock());
  const open = offers.some(o => o.status === "open");
  useEffect(() => {
    if (!open) return;
    const tick = setInterval(() => setNow(board.clock()), 1000);
    return () => clearInterval(tick);
  }, [open]);
  if (!offers.length) return null;
  return html`
    <section class="card">
      <h3>${t("offers.title")}</h3>
      <ul class="offers">
        ${offers.map(
          o => html`
            <li class=${o.status === "accepted" ? "done" : o.status === "open" ? "with" : "idle"}>
              <${Icon} name=${o.status === "accepted" ? "check" : o.status === "open" ? "clock" : "close"} />
              <span dir="auto">${board.nameOf(o.courier) || t("order.courier")}</span>
              <span class="small quiet num">${o.status === "open" ? left(o.until - now) : [t(`offer.${o.status}`), o.reason].filter(Boolean).join(": ")}</span>
            </li>
          `,
        )}
      </ul>
    </section>
  `;
}

/** "1:05". @param {number} ms */
function left(ms) {
  const seconds = Math.max(0, Math.ceil(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Offers one order to some couriers at once, or to those who suit best, one after the other. @param {import("./app.js").Props} props */
export function MakeOffer({ board, commands }) {
  const id = commands.offering.value;
  const order = board.orders.get(id ?? "");
  const [chosen, setChosen] = useState(/** @type {string[]} */ ([]));
  useEffect(() => setChosen([]), [id]);
  const close = () => (commands.offering.value = undefined);
  const send = (/** @type {any} */ body) => {
    close();
    if (order) act(board, order, { method: "POST", path: "/offers", body }, t("offers.made", { number: order.number ?? "" })).then(() => board.note(order.id));
  };
  const flip = (/** @type {string} */ c) => setChosen(chosen.includes(c) ? chosen.filter(other => other !== c) : [...chosen, c]);
  return html`
    <${Dialog} open=${id !== undefined} onClose=${close} title=${t("offers.who", { number: order?.number ?? "" })}
      actions=${html`<${Button} onClick=${() => send({ auto: true })}>${t("offers.auto")}<//><${Button} kind="main" disabled=${!chosen.length} onClick=${() => send({ courier_ids: chosen })}>${t("offers.make", { n: chosen.length })}<//>`}>
      <${Candidates} key=${id} orders=${order ? [order] : []} board=${board} pick=${flip} chosen=${chosen} />
    <//>
  `;
}
