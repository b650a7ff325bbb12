import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { clock } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { html, useState } from "../vendor/preact.js";
import { sign, windowOf } from "./card.js";

/** @typedef {import("./steps.js").Stop} Stop */

/** The stops of the tour. @param {import("./app.js").Props & {shown?: Stop, pick: (id: string) => void}} props */
export function Tour({ day, shown, pick }) {
  const [sorting, setSorting] = useState(false);
  const open = day.stops.value.filter(s => !s.done);
  const done = day.stops.value.length - open.length;
  if (open.length < 2) return null;
  return html`
    <section class="app-tour">
      <header>
        <h2>${t("tour.stops", { n: open.length })}</h2>
        ${day.may.has("setRoute") && html`<${Button} kind="quiet" icon=${sorting ? "check" : "list"} onClick=${() => setSorting(!sorting)}>${t(sorting ? "tour.ready" : "tour.sort")}<//>`}
      </header>
      <ol>
        ${open.map(
          (s, i) => html`
            <li key=${s.id} class=${s.id === shown?.id ? "shown" : ""}>
              <button type="button" class="app-stop" aria-current=${s.id === shown?.id ? "step" : undefined} onClick=${() => show(pick, s)}>
                <${Icon} name=${sign(s.kind)} label=${t(`stop.${s.kind}`)} />
                <span class="app-stop-text"><span dir="auto">${s.address ?? t("stop.no_address")}</span><span class="small quiet num">${s.order.number}</span></span>
                <span class="num small">${sorting ? "" : s.window?.to || s.window?.from ? windowOf(s, day.now.value, s.order.timezone) : s.eta ? clock(Date.parse(s.eta), { lang, zone: s.order.timezone }) : ""}</span>
              </button>
              ${sorting && i > 0 && html`<${Button} kind="quiet" icon="up" label=${t("tour.up", { address: s.address ?? s.order.number })} onClick=${() => swap(day, open, i)} />`}
            </li>
          `,
        )}
      </ol>
      ${done > 0 && html`<p class="small quiet num">${t("tour.done", { n: done })}</p>`}
    </section>
  `;
}

/** @param {(id: string) => void} pick @param {Stop} stop */
function show(pick, stop) {
  pick(stop.id);
  scrollTo({ top: 0, behavior: "smooth" });
}

/** Puts a stop before the one above it. The order is agreed with the server, so it needs the network. @param {import("./day.js").Day} day @param {Stop[]} open @param {number} i */
async function swap(day, open, i) {
  const stops = open.filter(s => s.kind !== "return").map(s => ({ order_id: s.order.id, kind: s.kind }));
  [stops[i - 1], stops[i]] = [stops[i], stops[i - 1]];
  try {
    day.route.value = await call("PUT", `/courier/${day.id}/route`, { body: { stops }, version: day.route.value?.version });
    day.save();
  } catch (reason) {
    const { status } = /** @type {import("../api.js").Refusal} */ (reason);
    say(t(status === 0 ? "tour.offline" : status === 422 ? "tour.impossible" : "tour.changed"), { kind: "bad" });
    day.load();
  }
}
