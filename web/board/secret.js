import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { say } from "../parts/toast.js";
import { html } from "../vendor/preact.js";

/** Shows a secret once. @param {{title: string, value: string, close: () => void}} props value is empty while there is none */
export const Secret = ({ title, value, close }) => html`
  <${Dialog} open=${value !== ""} title=${title} onClose=${close}
    actions=${html`<${Button} kind="main" icon="copy" onClick=${() => navigator.clipboard?.writeText(value).then(() => say(t("parcel.copied")))}>${t("parcel.copy")}<//>`}>
    <p>${t("secret.once")}</p><code class="secret">${value}</code>
  <//>
`;

/**
 * Asks before what can't be taken back.
 * @param {{open: boolean, title: string, text: string, act: string, close: () => void, sure: () => unknown}} props act names the button
 */
export const Ask = ({ open, title, text, act, close, sure }) => html`
  <${Dialog} open=${open} title=${title} onClose=${close}
    actions=${html`<${Button} onClick=${close}>${t("keep.closed")}<//><${Button} kind="danger" onClick=${() => {
      close();
      sure();
    }}>${act}<//>`}><p>${text}</p><//>
`;
