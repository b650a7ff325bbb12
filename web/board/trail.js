import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { clock } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { whyNot } from "./actions.js";
import { stopsOf } from "./stops.js";

const DAY = 24 * 3600_000;
const KMH = 3.6; // kilometres an hour in a metre a second
const FRAME = 100; // milliseconds between two steps of a replay
const LENGTH = 20_000; // milliseconds that a whole replay takes

/**
 * The way of the last 24 hours on the map, replayed with a slider, with its stops.
 * @param {{id: string, board: import("./board.js").Board, show: (trail: [number, number][]) => void}} props
 */
export function Trail({ id, board, show }) {
  const [fixes, setFixes] = useState(/** @type {any[] | undefined} */ (undefined));
  const [at, setAt] = useState(0);
  const [plays, setPlays] = useState(false);
  const all = fixes ?? [];
  useEffect(() => {
    if (fixes) show(fixes.slice(0, at + 1).map(p => [p.lat, p.lon]));
  }, [fixes, at]);
  useEffect(() => {
    if (!plays) return;
    const step = Math.max(1, Math.round((all.length * FRAME) / LENGTH));
    const timer = setInterval(() => setAt(was => Math.min(all.length - 1, was + step)), FRAME);
    return () => clearInterval(timer);
  }, [plays, fixes]);
  useEffect(() => {
    if (at >= all.length - 1) setPlays(false);
  }, [at]);
  const play = () => {
    if (!plays && at >= all.length - 1) setAt(0);
    setPlays(!plays);
  };
  const load = async () => {
    const now = board.clock();
    const query = new URLSearchParams({ from: new Date(now - DAY).toISOString(), to: new Date(now).toISOString() });
    try {
      const found = await call("GET", `/courier/${id}/track?${query}`);
      const trail = (found.trail ?? []).filter((/** @type {any} */ p) => !p.attributes?.secondary); // another device of his led
      setFixes(trail);
      setAt(trail.length - 1);
    } catch (reason) {
      say(whyNot(reason, board), { kind: "bad" });
    }
  };
  const fix = all[at];
  return html`
    <section class="card">
      <h3>${t("trail.title")}</h3>
      ${!fixes && html`<${Button} icon="route" onClick=${load}>${t("trail.show")}<//>`}
      ${fixes?.length === 0 && html`<p class="quiet small">${t("trail.empty")}</p>`}
      ${
        fix &&
        html`
          <input class="slider" type="range" min="0" max=${all.length - 1} value=${at} aria-label=${t("trail.time")}
            aria-valuetext=${clock(Date.parse(fix.recorded_at), { lang })} onInput=${(/** @type {any} */ e) => setAt(Number(e.target.value))} />
          <p class="small num">${clock(Date.parse(fix.recorded_at), { lang })} ${fix.speed !== undefined && t("trail.speed", { n: Math.round(fix.speed * KMH) })}</p>
          <${Button} icon=${plays ? "close" : "go"} onClick=${play}>${t(plays ? "trail.stop" : "trail.play")}<//>
          <ul class="stops">
            ${stopsOf(all).map(s => html`<li><button type="button" class="link" onClick=${() => setAt(s.from)}><span class="num">${clock(s.start, { lang })}</span><span class="num quiet">${t("trail.stood", { n: Math.round((s.end - s.start) / 60_000) })}</span></button></li>`)}
          </ul>
        `
      }
    </section>
  `;
}
