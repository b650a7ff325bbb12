import { t } from "../../i18n/index.js";
import { Button } from "../../parts/button.js";
import { Choice } from "../../parts/choice.js";
import { Field } from "../../parts/field.js";
import { html } from "../../vendor/preact.js";
import { Bound } from "./form.js";
import { labelOf } from "./resource.js";

/** @typedef {import("./resource.js").Resource} Resource */

const LOGO = "/brand/logo";
const ACCENT = "/brand/accent";
const unset = getComputedStyle(document.documentElement).getPropertyValue("--swatch").trim();

/** Name, colour and logo. @param {{of: Resource}} props */
export function BrandFields({ of }) {
  const logo = of.get(LOGO);
  const pick = (/** @type {any} */ e) => {
    const reader = new FileReader();
    reader.onload = () => of.set(LOGO, reader.result);
    if (e.target.files[0]) reader.readAsDataURL(e.target.files[0]);
  };
  return html`
    <${Bound} of=${of} at="/brand/name" limit=${60} />
    <div class="settings-row">
      <${Bound} of=${of} at=${ACCENT} limit=${7} hint=${t("brand.accent.hint")} />
      <input type="color" class="swatch" aria-label=${t("brand.accent.pick")} value=${/^#[\da-f]{6}$/i.test(of.get(ACCENT)) ? of.get(ACCENT) : unset} onInput=${(/** @type {any} */ e) => of.set(ACCENT, e.target.value)} />
    </div>
    <div class="field">
      <label for="logo">${labelOf(LOGO)}</label>
      <div class="settings-row">
        ${logo && html`<img class="logo" src=${logo} alt="" />`}
        <input id="logo" type="file" accept="image/png,image/webp,image/svg+xml" onChange=${pick} />
        ${logo && html`<${Button} onClick=${() => of.set(LOGO, "")}>${t("remove")}<//>`}
      </div>
      <p class=${of.errors[LOGO] ? "field-error" : "field-hint"}>${of.errors[LOGO] ?? t("brand.logo.hint")}</p>
    </div>
  `;
}

const SHOW = "/privacy/show_courier";
const usual = /** @type {Record<string, string>} */ ({ metres: "3000", minutes: "15", stops_before: "1" });
const kinds = ["custody", "out_for_delivery", ...Object.keys(usual)];

/** When customers see the courier. @param {{of: Resource, inherit?: boolean}} props inherit: may be left to the installation */
export function ShowCourier({ of, inherit }) {
  const [kind, n] = String(of.get(SHOW) ?? "").split(":");
  const set = (/** @type {string} */ k, /** @type {string} */ number) => of.set(SHOW, k in usual ? `${k}:${number}` : k);
  return html`
    <${Choice} label=${labelOf(SHOW)} value=${kind} error=${of.errors[SHOW]} onPick=${(/** @type {string} */ k) => set(k, usual[k])}
      options=${[...(inherit && !kind ? [["", t("setting.inherit")]] : []), ...kinds.map(k => [k, t(`show.${k}`)])]} />
    ${kind in usual && html`<${Field} label=${t(`show.${kind}.n`)} type="number" value=${n ?? ""} onInput=${(/** @type {string} */ v) => set(kind, v)} />`}
  `;
}
