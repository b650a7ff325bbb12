import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { html } from "../vendor/preact.js";
import { Outcome } from "./bulk.js";
import { Candidates } from "./candidates.js";

/** Chooses a courier for one order or many. @param {import("./app.js").Props} props */
export function Assign({ board, commands }) {
  const ids = commands.assigning.value;
  const orders = (ids ?? []).flatMap(id => board.orders.get(id) ?? []);
  const close = () => (commands.assigning.value = undefined);
  const pick = (/** @type {string} */ courier) => {
    close();
    commands.give(ids ?? [], courier);
  };
  return html`
    <${Dialog} open=${ids !== undefined} onClose=${close} title=${orders.length === 1 ? t("assign.one", { number: orders[0].number ?? "" }) : t("assign.many", { n: orders.length })}>
      ${ids && html`<${Candidates} key=${ids} orders=${orders} board=${board} pick=${pick}><${Button} icon="again" onClick=${() => pick("")}>${t("assign.auto")}<//><//>`}
    <//>
    <${Outcome} results=${commands.results.value} close=${() => (commands.results.value = undefined)} />
  `;
}
