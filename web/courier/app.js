import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { money } from "../parts/money.js";
import { Empty } from "../parts/notice.js";
import { say, Toasts } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { duty } from "./act.js";
import { Card } from "./card.js";
import { Gate } from "./gate.js";
import { Go } from "./go.js";
import { Offers } from "./offers.js";
import { Sheet } from "./sheet.js";
import { Told } from "./told.js";
import { Top } from "./top.js";
import { Tour } from "./tour.js";

/** @typedef {{boot: import("../start.js").Boot, day: import("./day.js").Day, tracker: import("./tracker.js").Tracker}} Props what every view gets */

/** @param {Props} props */
export function App(props) {
  const state = props.day.state.value;
  if (state === "loading") return html`<${Bones} />`;
  if (state !== "ready") return html`<${Gate} ...${props} />`;
  return html`<${Shift} ...${props} />`;
}

/** @param {Props} props */
function Shift(props) {
  const { day } = props;
  const [menu, setMenu] = useState(false);
  const [open, setOpen] = useState(/** @type {{part: "Problem"|"Proof", stop: import("./steps.js").Stop} | undefined} */ (undefined));
  const [picked, setPicked] = useState(""); // a stop that is not the next one
  const stop = day.stops.value.find(s => s.id === picked && !s.done) ?? day.next.value;
  const close = () => setOpen(undefined);
  // What is open stays about its stop, whatever is the next one by now.
  const about = open && day.stops.value.find(s => s.id === open.stop.id && !s.done);
  const over = open && !about;
  useEffect(() => {
    if (!over) return;
    close();
    if (!day.orders.value.has(open.stop.order.id)) say(t("tour.changed"), { kind: "bad" });
  }, [over]);
  return html`
    <div class="app">
      <${Top} ...${props} menu=${() => setMenu(true)} />
      <main class="app-main">
        <${Told} ...${props} />
        <${Offers} ...${props} />
        ${stop ? html`<${Card} key=${stop.id} ...${props} stop=${stop} problem=${() => setOpen({ part: "Problem", stop })} />` : html`<${Nothing} day=${day} />`}
        <${Tour} ...${props} shown=${stop} pick=${setPicked} />
        <${Sums} day=${day} />
      </main>
      ${stop && html`<${Go} key=${stop.order.id} ...${props} stop=${stop} proof=${() => setOpen({ part: "Proof", stop })} moved=${() => setPicked("")} />`}
      ${menu && html`<${Sheet} part="Menu" ...${props} close=${() => setMenu(false)} />`}
      ${about && html`<${Sheet} key=${about.id} part=${open.part} ...${props} stop=${about} close=${close} />`}
      <${Toasts} />
    </div>
  `;
}

/** Nothing to do. @param {{day: import("./day.js").Day}} props */
function Nothing({ day }) {
  const { on_duty: on, break_since: pause } = day.courier.value ?? {};
  const begin = html`<${Button} kind="main" size="large" onClick=${() => duty(day, true)}>${t(pause ? "duty.resume" : "duty.begin")}<//>`;
  if (pause) return html`<${Empty} icon="clock" title=${t("empty.break")} action=${begin}>${t("empty.break.text")}<//>`;
  if (!on) return html`<${Empty} icon="home" title=${t("empty.off")} action=${begin}>${t("empty.off.text")}<//>`;
  return html`<${Empty} icon="check" title=${t("empty.done")}>${t("empty.done.text")}<//>`;
}

/** The day so far. @param {{day: import("./day.js").Day}} props */
function Sums({ day }) {
  const { delivered, cash } = day.done.value;
  if (!delivered) return null;
  return html`
    <section class="app-sums">
      <h2>${t("day.title")}</h2>
      <p class="num">${t("day.delivered", { n: delivered })}</p>
      ${Object.entries(cash).map(([currency, amount]) => html`<p class="num">${t("day.cash", { sum: money({ amount, currency }, lang) })}</p>`)}
    </section>
  `;
}

/** The shape of what comes. */
const Bones = () => html`
  <div class="app" aria-busy="true"><header class="app-top"></header>
    <main class="app-main"><div class="app-card"><div class="bone"></div><div class="bone tall"></div><div class="bone"></div></div></main>
  </div>
`;
