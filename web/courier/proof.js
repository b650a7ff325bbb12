import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { money } from "../parts/money.js";
import { Notice } from "../parts/notice.js";
import { html, useState } from "../vendor/preact.js";
import { proofEntry, queue, stepEntry } from "./act.js";
import { blobOf, Photo } from "./photo.js";
import { Signature } from "./signature.js";
import { cashOf } from "./steps.js";

/**
 * The hand-over: what has to prove it, and the money. The proof goes before the step.
 * @param {import("./app.js").Props & {stop: import("./steps.js").Stop, close: () => void}} props
 */
export function Proof({ day, stop, close }) {
  const { order } = stop;
  const [picture, setPicture] = useState(/** @type {import("./photo.js").Picture | undefined} */ (undefined));
  const [signature, setSignature] = useState(/** @type {HTMLCanvasElement | undefined} */ (undefined));
  const [pin, setPin] = useState("");
  const [recipient, setRecipient] = useState("");
  const [note, setNote] = useState("");
  const [paid, setPaid] = useState(false);
  const [tried, setTried] = useState(false);
  const needs = new Set(order.proof_required ?? []);
  const wait = day.mustWait(order);
  const due = cashOf(order);
  const unchecked = needs.has("pin") && day.offline.value && !pin.trim() && picture !== undefined; // the photo stands in
  const has = { photo: picture, signature, pin: pin.trim() || unchecked };
  /** @type {string[]} */
  const lacking = [...needs].filter(n => !has[/** @type {keyof typeof has} */ (n)]);
  if (due && !paid) lacking.push("cash");
  const send = async () => {
    setTried(true);
    if (lacking.length) return later(() => document.querySelector("dialog[open] .field-error")?.scrollIntoView({ block: "center" }));
    const body = given({ offline: unchecked, pin: pin.trim(), recipient: recipient.trim(), note: note.trim() });
    const files = /** @type {Record<string, Blob>} */ (given({ photo: picture?.blob, signature: signature && (await blobOf(signature, "image/png")) }));
    const proof = Object.keys(body).length + Object.keys(files).length ? [proofEntry(day, order, body, files)] : [];
    if (await queue(day, ...proof, stepEntry(day, order, "delivered", "", due))) close();
  };
  const lacks = (/** @type {string} */ what) => (tried && lacking.includes(what) ? t(`needs.${what}`) : undefined);
  return html`
    <${Dialog} open title=${t("hand.title")} onClose=${close} actions=${html`<${Button} kind="main" size="large" disabled=${wait} onClick=${send}>${t("go.delivered")}<//>`}>
      <div class="app-form">
        ${wait && html`<${Notice} kind="bad" title=${t("hand.wait")} live>${t("hand.wait.text")}<//>`}
        ${due && html`<label class="app-cash check"><input type="checkbox" checked=${paid} onChange=${(/** @type {any} */ e) => setPaid(e.target.checked)} /><span>${t("cash.taken", { sum: money(due, lang) })}</span></label>`}
        ${lacks("cash") && html`<p class="field-error" role="alert">${lacks("cash")}</p>`}
        ${needs.has("pin") && html`<${Field} label=${t("hand.pin")} value=${pin} onInput=${setPin} mode="numeric" limit=${12} error=${lacks("pin")} hint=${t("hand.pin.hint")} />`}
        ${needs.has("pin") && day.offline.value && !wait && html`<${Notice} kind="offline">${t("hand.pin.offline")}<//>`}
        <${Photo} picture=${picture} take=${setPicture} label=${t(needs.has("photo") ? "hand.photo.take" : "hand.photo.add")} />
        ${lacks("photo") && html`<p class="field-error" role="alert">${lacks("photo")}</p>`}
        ${needs.has("signature") && html`<${Signature} signed=${setSignature} />`}
        ${lacks("signature") && html`<p class="field-error" role="alert">${lacks("signature")}</p>`}
        <${Field} label=${t("hand.recipient")} value=${recipient} onInput=${setRecipient} limit=${200} hint=${t("hand.recipient.hint")} />
        <${Field} label=${t("hand.note")} value=${note} onInput=${setNote} limit=${2000} />
      </div>
    <//>
  `;
}

/** Once the page shows what is missing. @param {() => void} work */
const later = work => void setTimeout(work);

/** @param {Record<string, any>} values */
const given = values => Object.fromEntries(Object.entries(values).filter(([, v]) => v));
