import { lang, t } from "../../i18n/index.js";
import { Button } from "../../parts/button.js";
import { Choice } from "../../parts/choice.js";
import { Field } from "../../parts/field.js";
import { html, useState } from "../../vendor/preact.js";
import { Preview } from "./preview.js";

const names = ["accepted", "on_its_way", "near", "at_the_door", "delivered", "failed_attempt", "ready_for_pickup", "late", "cancelled", "status"];
const languages = ["en", "ru"];

/** Texts in place of the built-in ones. @param {{of: import("./resource.js").Resource, board: import("../board.js").Board}} props */
export function Texts({ of, board }) {
  const [name, setName] = useState(names[0]);
  const [locale, setLocale] = useState(lang);
  const own = of.get("/texts") ?? {};
  const text = own[name]?.[locale];
  const put = (/** @type {any} */ value) => {
    const mine = { ...own[name], [locale]: value };
    if (!value) delete mine[locale];
    const all = { ...own, [name]: mine };
    if (!Object.keys(mine).length) delete all[name];
    of.set("/texts", all);
  };
  const fault = Object.entries(of.errors).find(([at]) => at.startsWith(`/texts/${name}/${locale}`))?.[1];
  return html`
    <section class="form">
      <h3>${t("texts.title")}</h3>
      <div class="settings-row">
        <${Choice} label=${t("texts.name")} value=${name} options=${names.map(n => [n, `${t(`text.${n}`)}${own[n] ? " •" : ""}`])} onPick=${setName} />
        <${Choice} label=${t("texts.language")} value=${locale} options=${languages.map(l => [l, t(`language.${l}`)])} onPick=${setLocale} />
      </div>
      <${Field} label=${t("texts.subject")} value=${text?.subject ?? ""} limit=${200} onInput=${(/** @type {string} */ subject) => put({ text: "", ...text, subject })} />
      <${Field} label=${t("texts.text")} rows=${4} limit=${2000} value=${text?.text ?? ""} error=${fault} hint=${t("rules.template.hint")} onInput=${(/** @type {string} */ v) => put(v || text?.subject ? { ...text, text: v } : undefined)} />
      ${text && html`<${Button} onClick=${() => put(undefined)}>${t("texts.back")}<//>`}
      <${Preview} text=${text?.text} name=${name} locale=${locale} board=${board} />
    </section>
  `;
}
