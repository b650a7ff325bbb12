import { call } from "../../api.js";
import { lang, t } from "../../i18n/index.js";
import { html, useEffect, useState } from "../../vendor/preact.js";
import { whyNot } from "../actions.js";

const PAUSE = 300; // milliseconds after a key before the server is asked

/**
 * A text as a customer reads it, and what is wrong with it.
 * @param {{text?: string, name: string, locale?: string, board: import("../board.js").Board}} props name of the built-in text, shown if text is empty
 */
export function Preview({ text, name, locale = lang, board }) {
  const [told, setTold] = useState(/** @type {any} */ (undefined));
  const [fault, setFault] = useState("");
  useEffect(() => {
    const soon = setTimeout(() => {
      call("POST", "/notification-rules/preview", { body: { locale, ...(text ? { text } : { name }) } }).then(
        found => {
          setTold(found);
          setFault("");
        },
        reason => setFault(whyNot(reason, board)),
      );
    }, PAUSE);
    return () => clearTimeout(soon);
  }, [text, name, locale]);
  const unknown = (told?.unknown_variables ?? []).map((/** @type {string} */ v) => `{{${v}}}`).join(", ");
  return html`
    <figure class="preview" aria-live="polite">
      <figcaption class="small quiet">${t("preview.title")} ${told && t("preview.sms", { n: told.sms_segments })}</figcaption>
      ${told?.subject && html`<p class="strong" dir="auto">${told.subject}</p>`}
      <p class="preview-text" dir="auto">${told?.text}</p>
      ${unknown && html`<p class="field-error">${t("preview.unknown", { names: unknown })}</p>`}
      ${fault && html`<p class="field-error">${fault}</p>`}
    </figure>
  `;
}
