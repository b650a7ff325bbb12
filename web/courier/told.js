import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Notice } from "../parts/notice.js";
import { clock, span } from "../parts/time.js";
import { html, useState } from "../vendor/preact.js";
import { newer } from "./install.js";
import { Sheet } from "./sheet.js";

/** @typedef {import("./send.js").Entry} Entry */

/** What the courier has to know now, the worst first. @param {import("./app.js").Props} props */
export function Told({ day, tracker }) {
  const refused = day.outbox.entries.value.filter(e => e.refused && e.who === day.id);
  return html`
    <div class="app-told">
      ${day.outbox.full.value && html`<${Notice} kind="bad" title=${t("full.title")} live>${t("full.text")}<//>`}
      ${byReason(refused).map(entries => html`<${Refusal} key=${entries[0].seq} entries=${entries} day=${day} />`)}
      ${!day.own && html`<${Notice}>${t("looking", { name: day.courier.value?.name ?? "" })}<//>`}
      <${Where} tracker=${tracker} day=${day} />
      ${day.offline.value && day.asOf.value > 0 && html`<${Notice} kind="offline">${t("offline.as_of", { time: clock(day.asOf.value, { lang }) })}<//>`}
      ${newer.value && html`<${Notice} action=${html`<${Button} onClick=${() => location.reload()}>${t("newer.show")}<//>`}>${t("newer.title")}<//>`}
    </div>
  `;
}

/** One notice for an order: what was refused first is why the rest was. @param {Entry[]} refused @returns {Entry[][]} */
function byReason(refused) {
  /** @type {Map<string, Entry[]>} */
  const groups = new Map();
  for (const entry of refused) {
    groups.set(entry.lane, [...(groups.get(entry.lane) ?? []), entry]);
  }
  return [...groups.values()];
}

/** @param {{entries: Entry[], day: import("./day.js").Day}} props */
function Refusal({ entries, day }) {
  const { title, text } = explain(entries[0]);
  const done = html`<${Button} onClick=${() => day.outbox.dismiss(entries)}>${t("refused.read")}<//>`;
  return html`<${Notice} kind="bad" title=${title} live action=${done}>${text} <span class="quiet">${t("refused.what", { what: entries.map(whatOf).join(", ") })}</span><//>`;
}

/** @param {Entry} entry */
function whatOf({ kind, body, at }) {
  const what = kind === "step" ? t(`go.${body.status}`) : t(`did.${kind}`);
  return t("refused.did", { what, time: clock(Date.parse(at), { lang }) });
}

/** Why the server refused it, and what to do. @param {Entry} entry */
export function explain({ kind, number = "", refused, body }) {
  const { code = "", status = 0, problem = {} } = refused ?? {};
  const pin = (problem.errors ?? []).some((/** @type {any} */ e) => e.pointer === "/pin");
  if (code === "order_reassigned") {
    const { to = "", at = "" } = problem.reassigned ?? {};
    return { title: t("refused.reassigned", { number, name: to, time: clock(Date.parse(at) || Date.now(), { lang }) }), text: t("refused.reassigned.text") };
  }
  if (pin) return { title: t("refused.pin", { number }), text: t("refused.pin.text") };
  if (code === "pin_locked") return { title: t("refused.locked", { number }), text: t("refused.locked.text") };
  if (code === "proof_required") return { title: t("refused.proof", { number }), text: t("refused.proof.text") };
  if (status === 404) return { title: t("refused.gone", { number }), text: t("refused.gone.text") };
  if (status === 413) return { title: t("refused.large", { number }), text: t("refused.large.text") };
  if (status === 409 && kind === "step") return { title: t("refused.step", { number, what: t(`go.${body.status}`) }), text: t("refused.step.text") };
  return { title: t("refused.other", { number }), text: problem.detail ?? problem.title ?? t("refused.other.text") };
}

/** Why nobody sees where the courier is. @param {{tracker: import("./tracker.js").Tracker, day: import("./day.js").Day}} props */
function Where({ tracker, day }) {
  const [help, setHelp] = useState(false);
  const trouble = tracker.trouble.value;
  const gap = tracker.gap.value;
  const close = () => {
    tracker.gap.value = undefined;
    setHelp(false);
  };
  if (trouble) return html`<${Notice} kind="late" title=${t(`place.${trouble}`)} live>${t(`place.${trouble}.text`)}<//>`;
  if (!gap) return null;
  const action = help
    ? html`<${Sheet} part="PhoneApp" day=${day} close=${() => setHelp(false)} />`
    : html`<${Button} icon="phone" onClick=${() => setHelp(true)}>${t("place.app")}<//>`;
  return html`
    <${Notice} kind="late" title=${t("place.gap", { time: span(...gap, { lang }) })} action=${html`<${Button} kind="quiet" icon="close" label=${t("close")} onClick=${close} />`}>${t("place.gap.text")}<//>
    ${action}
  `;
}
