import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { CARRIED, droppable } from "../parts/drag.js";
import { Icon } from "../parts/icon.js";
import { clock } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { whyNot } from "./actions.js";

/** The stops of a courier in their order, which can be changed. @param {import("./app.js").Props & {id: string}} props */
export function Tour({ id, board, session, commands }) {
  const [tour, setTour] = useState(/** @type {any} */ (undefined));
  const changed = board.changed.value;
  useEffect(() => {
    call("GET", `/courier/${id}/route`).then(setTour, () => setTour(undefined));
  }, [id, changed]);
  const open = (tour?.stops ?? []).filter((/** @type {any} */ s) => !s.done);
  if (!open.length) return null;
  const may = session.can("setRoute");
  const move = async (/** @type {number} */ from, /** @type {number} */ to) => {
    if (!open[from]) return; // something else was dropped here
    const stops = open.map((/** @type {any} */ s) => ({ order_id: s.order_id, kind: s.kind }));
    stops.splice(to, 0, ...stops.splice(from, 1));
    try {
      setTour(await call("PUT", `/courier/${id}/route`, { body: { stops }, version: tour.version }));
    } catch (reason) {
      say(whyNot(reason, board), { kind: "bad" });
      setTour(await call("GET", `/courier/${id}/route`).catch(() => tour));
    }
  };
  return html`
    <section class="card">
      <h3>${t("tour.title")}</h3>
      <ol class="tour">
        ${open.map(
          (/** @type {any} */ s, /** @type {number} */ i) => html`
            <li draggable=${may} onDragStart=${(/** @type {DragEvent} */ e) => e.dataTransfer?.setData(CARRIED, String(i))} ...${may && droppable(from => move(Number(from), i))}>
              <${Icon} name=${s.kind === "pickup" ? "shop" : "home"} label=${t(s.kind === "pickup" ? "fact.from" : "fact.to")} />
              <button type="button" class="link" onClick=${() => commands.show(s.order_id)}><span dir="auto">${s.address || board.orders.get(s.order_id)?.number}</span></button>
              <span class="num quiet">${s.eta && clock(Date.parse(s.eta), { lang })}</span>
              ${may && i > 0 && html`<${Button} kind="quiet" icon="up" label=${t("tour.earlier")} onClick=${() => move(i, i - 1)} />`}
            </li>
          `,
        )}
      </ol>
    </section>
  `;
}
