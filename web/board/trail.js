import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { clock } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { html, useState } from "../vendor/preact.js";
import { whyNot } from "./actions.js";

const DAY = 24 * 3600_000;
const KMH = 3.6; // kilometres an hour in a metre a second

/**
 * The way of the last 24 hours on the map, replayed with a slider.
 * @param {{id: string, board: import("./board.js").Board, show: (trail: [number, number][]) => void}} props
 */
export function Trail({ id, board, show }) {
  const [fixes, setFixes] = useState(/** @type {any[] | undefined} */ (undefined));
  const [at, setAt] = useState(0);
  const until = (/** @type {any[]} */ all, /** @type {number} */ n) => {
    setAt(n);
    show(all.slice(0, n + 1).map(p => [p.lat, p.lon]));
  };
  const load = async () => {
    const now = board.clock();
    const query = new URLSearchParams({ from: new Date(now - DAY).toISOString(), to: new Date(now).toISOString() });
    try {
      const { trail = [] } = await call("GET", `/courier/${id}/track?${query}`);
      setFixes(trail);
      until(trail, trail.length - 1);
    } catch (reason) {
      say(whyNot(reason, board), { kind: "bad" });
    }
  };
  const fix = fixes?.[at];
  return html`
    <section class="card">
      <h3>${t("trail.title")}</h3>
      ${!fixes && html`<${Button} icon="route" onClick=${load}>${t("trail.show")}<//>`}
      ${fixes?.length === 0 && html`<p class="quiet small">${t("trail.empty")}</p>`}
      ${
        fix &&
        html`
          <input class="slider" type="range" min="0" max=${(fixes?.length ?? 1) - 1} value=${at} aria-label=${t("trail.time")}
            aria-valuetext=${clock(Date.parse(fix.recorded_at), { lang })} onInput=${(/** @type {any} */ e) => until(fixes ?? [], Number(e.target.value))} />
          <p class="small num">${clock(Date.parse(fix.recorded_at), { lang })} ${fix.speed !== undefined && t("trail.speed", { n: Math.round(fix.speed * KMH) })}</p>
        `
      }
    </section>
  `;
}
