import { t } from "../../i18n/index.js";
import { Button } from "../../parts/button.js";
import { Choice } from "../../parts/choice.js";
import { Field } from "../../parts/field.js";
import { Notice } from "../../parts/notice.js";
import { html } from "../../vendor/preact.js";
import { labelOf } from "./resource.js";

/** @typedef {import("./resource.js").Resource} Resource */

/**
 * A form over a resource, with what others changed meanwhile.
 * @param {{of: Resource, title: string, about?: string, locked?: boolean, more?: any, children?: any}} props locked: only to read;
 *   more: other actions
 */
export const Form = ({ of, title, about, locked, more, children }) => html`
  <form class="card settings-form" aria-busy=${of.stored ? undefined : "true"} onSubmit=${(/** @type {Event} */ e) => {
    e.preventDefault();
    if (of.dirty && !locked) of.save();
  }}>
    <header><h2>${title}</h2>${about && html`<p class="small quiet">${about}</p>`}</header>
    ${of.conflict && html`<${Notice} kind="late" live title=${t("conflict.title")}>${of.conflict}<//>`}
    <fieldset class="form" disabled=${locked}>${of.stored && children}</fieldset>
    ${
      of.stored &&
      html`<footer class="settings-actions">
      ${!locked && html`<${Button} kind="main" type="submit" busy=${of.busy} disabled=${!of.dirty}>${t("save")}<//>`}
      ${of.dirty && html`<${Button} onClick=${of.discard}>${t("discard")}<//>`}
      ${more}
    </footer>`
    }
  </form>
`;

/** @param {{of: Resource, at: string, type?: string, hint?: string, rows?: number, limit?: number}} props a text or number of a resource */
export const Bound = ({ of, at, type, ...more }) => html`
  <${Field} label=${labelOf(at)} value=${String(of.get(at) ?? "")} type=${type} error=${of.errors[at]} ...${more}
    onInput=${(/** @type {string} */ v) => of.set(at, type === "number" && v !== "" ? Number(v) : v)} />
`;

/** @param {{of: Resource, at: string, options: import("../../parts/choice.js").Options, hint?: string}} props one of several */
export const Picked = ({ of, at, options, hint }) => html`
  <${Choice} label=${labelOf(at)} value=${String(of.get(at) ?? "")} options=${options} hint=${hint} error=${of.errors[at]} onPick=${(/** @type {string} */ v) => of.set(at, v)} />
`;
