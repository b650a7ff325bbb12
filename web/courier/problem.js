import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { say } from "../parts/toast.js";
import { html, useState } from "../vendor/preact.js";
import { incidentEntry, queue, stepEntry } from "./act.js";
import { Photo } from "./photo.js";
import { canFail, canReturn } from "./steps.js";

const problems = /** @type {const} */ (["not_there", "wrong_address", "cannot_find", "refused", "damaged", "other"]);

/**
 * What is wrong at a stop: a report to the dispatcher, with which the courier goes on, gives
 * the hand-over up, or takes the goods back.
 * @param {import("./app.js").Props & {stop: import("./steps.js").Stop, close: () => void}} props
 */
export function Problem({ day, stop, close }) {
  const { order, status } = stop;
  const [code, setCode] = useState("");
  const [text, setText] = useState("");
  const [picture, setPicture] = useState(/** @type {import("./photo.js").Picture | undefined} */ (undefined));
  const [chosen, setChosen] = useState(true);
  const send = async (/** @type {string} */ to) => {
    setChosen(Boolean(code));
    if (!code) return;
    const more = text.trim();
    const incident = incidentEntry(day, order, { code, ...(more && { text: more }) }, picture ? { photo: picture.blob } : {});
    const step = to ? [stepEntry(day, order, to, [t(`problem.${code}`), more].filter(Boolean).join(". "))] : [];
    if (!(await queue(day, incident, ...step))) return;
    say(t(to ? `problem.done.${to}` : "problem.done"));
    close();
  };
  const actions = html`
    <div class="app-ways">
      ${canFail(status) && html`<${Button} kind="main" size="large" onClick=${() => send("delivery_failed")}>${t("problem.fail")}<//>`}
      <${Button} kind=${canFail(status) ? "plain" : "main"} size="large" onClick=${() => send("")}>${t("problem.report")}<//>
      ${canReturn(status) && html`<${Button} kind="danger" onClick=${() => send("returning")}>${t("problem.return")}<//>`}
    </div>
  `;
  return html`
    <${Dialog} open title=${t("problem.title")} onClose=${close} actions=${actions}>
      <div class="app-form">
        <fieldset class="app-problems">
          <legend class="unseen">${t("problem.title")}</legend>
          ${problems.map(
            p =>
              html`<label class=${p === code ? "on" : ""}><input type="radio" name="problem" value=${p} checked=${p === code} onChange=${() => setCode(p)} /><span>${t(`problem.${p}`)}</span></label>`,
          )}
        </fieldset>
        ${!chosen && !code && html`<p class="field-error" role="alert">${t("problem.choose")}</p>`}
        <${Field} label=${t("problem.text")} value=${text} onInput=${setText} rows=${2} limit=${2000} />
        <${Photo} picture=${picture} take=${setPicture} label=${t("photo.take")} />
      </div>
    <//>
  `;
}
