import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { html } from "../vendor/preact.js";
import { queue, stepEntry } from "./act.js";
import { cashOf, stepAfter } from "./steps.js";

/**
 * The one button. It answers at once; what it did is sent when it can be.
 * @param {import("./app.js").Props & {stop: import("./steps.js").Stop, proof: () => void, moved: () => void}} props
 */
export function Go({ day, stop, proof, moved }) {
  const { order, status } = stop;
  const to = stepAfter(order, status);
  if (!to) return null;
  const asks = to === "delivered" && (order.proof_required?.length || cashOf(order));
  const go = async () => {
    if (asks) return proof();
    if (await queue(day, stepEntry(day, order, to))) moved();
  };
  return html`
    <footer class="app-go">
      ${to === "delivered" && !asks && html`<${Button} icon="camera" label=${t("hand.add")} onClick=${proof} />`}
      <${Button} kind="main" size="large" onClick=${go}>${t(`go.${to}`)}<//>
    </footer>
  `;
}
