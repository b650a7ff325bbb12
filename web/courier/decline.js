import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { html } from "../vendor/preact.js";

const reasons = /** @type {const} */ (["far", "full", "end", "vehicle", "other"]);

/** Why an offer is declined. @param {{decline: (reason: string) => void, close: () => void}} props */
export const Decline = ({ decline, close }) => html`
  <${Dialog} open title=${t("decline.title")} onClose=${close}>
    <ul class="app-choices">
      ${reasons.map(r => html`<li><${Button} onClick=${() => decline(t(`decline.${r}`))}>${t(`decline.${r}`)}<//></li>`)}
    </ul>
  <//>
`;
