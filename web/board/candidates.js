import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Icon } from "../parts/icon.js";
import { html, useEffect, useMemo, useState } from "../vendor/preact.js";
import { fold } from "./groups.js";

const SHOWN = 60;

/**
 * The couriers on duty, those near the pick-up first; Enter picks the first.
 * @param {{orders: import("./groups.js").Order[], board: import("./board.js").Board, pick: (id: string) => void, chosen?: string[], children?: any}} props
 *   chosen: several can be
 */
export function Candidates({ orders, board, pick, chosen, children }) {
  const [q, setQ] = useState("");
  const [near, setNear] = useState(/** @type {Map<string, number>} */ (new Map()));
  board.changed.value; // couriers may still be loading
  const from = orders.length === 1 ? orders[0].pickup?.location : undefined;
  useEffect(() => {
    if (!from) return;
    call("GET", `/couriers/near?lat=${from.lat}&lon=${from.lon}&limit=50`).then(
      found => setNear(new Map(found.couriers.map((/** @type {any} */ c) => [c.id, c.distance_m]))),
      () => {}, // the list is complete without distances
    );
  }, []);
  const names = useMemo(() => new Intl.Collator(lang), []);
  const word = fold(q);
  const couriers = [...board.couriers.values()]
    .filter(c => c.on_duty && (!word || fold(c.name).includes(word)))
    .sort((a, b) => (near.get(a.id) ?? 1e9) - (near.get(b.id) ?? 1e9) || (a.active_orders ?? 0) - (b.active_orders ?? 0) || names.compare(a.name, b.name));
  return html`
    <form class="assign" onSubmit=${(/** @type {Event} */ e) => {
      e.preventDefault();
      if (couriers.length) pick(couriers[0].id);
    }}>
      <input class="palette-field" autofocus value=${q} placeholder=${t("assign.find")} aria-label=${t("assign.find")} onInput=${(/** @type {any} */ e) => setQ(e.target.value)} />
      ${children}
    </form>
    <ul class="assign-list">
      ${couriers.slice(0, SHOWN).map(
        c => html`
          <li><button type="button" aria-pressed=${chosen && String(chosen.includes(c.id))} onClick=${() => pick(c.id)}>
            <${Icon} name=${chosen?.includes(c.id) ? "check" : (c.vehicle ?? "people")} /><span dir="auto">${c.name}</span>
            <span class="quiet num">${near.has(c.id) ? kilometres(near.get(c.id) ?? 0) : ""}</span>
            <span class="quiet num">${t("assign.load", { n: c.active_orders ?? 0, of: c.capacity ?? 0 })}</span>
          </button></li>
        `,
      )}
      ${couriers.length === 0 && html`<li class="quiet">${t("assign.nobody")}</li>`}
    </ul>
  `;
}

/** @param {number} metres */
export const kilometres = metres =>
  metres < 950 ? t("map.metres", { n: Math.round(metres / 50) * 50 }) : t("map.kilometres", { n: Number((metres / 1000).toFixed(1)) });
