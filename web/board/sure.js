import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { html, useEffect, useState } from "../vendor/preact.js";

const LIMIT = 500;

/**
 * Asks before a step that can't be taken back, and for its reason.
 * @param {{what: string, order: import("./groups.js").Order, close: () => void, sure: (reason: string) => Promise<boolean>}} props
 */
export function Sure({ what, order, close, sure }) {
  const [reason, setReason] = useState("");
  const [busy, setBusy] = useState(false);
  useEffect(() => setReason(""), [what]);
  const send = async () => {
    setBusy(true);
    await sure(reason.trim());
    setBusy(false);
    close();
  };
  const title =
    what === "cancelled"
      ? t("order.cancel.title", { number: order.number ?? "" })
      : t("order.sure", { number: order.number ?? "", status: what && t(`mark.${what}`) });
  return html`
    <${Dialog} open=${what !== ""} title=${title} onClose=${close}
      actions=${html`<${Button} onClick=${close}>${t("keep")}<//><${Button} kind="danger" busy=${busy} onClick=${send}>${what === "cancelled" ? t("order.cancel") : what && t(`mark.${what}`)}<//>`}>
      ${what === "cancelled" && html`<p>${t("order.cancel.text")}</p>`}
      <${Field} label=${t("order.reason")} value=${reason} onInput=${setReason} limit=${LIMIT} />
    <//>
  `;
}
