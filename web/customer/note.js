import { Refusal } from "../api.js";
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Field } from "../parts/field.js";
import { ended } from "../parts/status.js";
import { say } from "../parts/toast.js";
import { html, useState } from "../vendor/preact.js";

const LIMIT = 500;
const open = new Set(["created", "confirmed", "assigned", "at_pickup", "picked_up", "in_transit", "out_for_delivery", "delivery_failed"]);

/** Instructions for the courier; editable until they are near. @param {{store: import("./store.js").Store, order: import("./story.js").Order}} props */
export function Note({ store, order }) {
  const kept = order.instructions ?? "";
  const [text, setText] = useState(/** @type {string | undefined} */ (undefined));
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {string | undefined} */ (undefined));
  if (order.shipment || ended(order.status) || (!kept && !open.has(order.status))) return null;
  if (store.near.value || !open.has(order.status) || !store.can.has("instructions")) {
    if (!kept) return null;
    return html`<section class="card"><h2>${t("note.title")}</h2><p class="kept" dir="auto">${kept}</p>${store.can.has("instructions") && html`<p class="small quiet">${t("note.closed")}</p>`}</section>`;
  }
  const changed = text !== undefined && text.trim() !== kept;
  const save = async (/** @type {Event} */ e) => {
    e.preventDefault();
    if (!changed || busy) return;
    setBusy(true);
    setError(undefined);
    try {
      await store.change("/instructions", { text: text.trim() });
      setText(undefined);
      store.order.value = { ...order, instructions: text.trim() };
      say(t("note.saved"));
    } catch (reason) {
      setError(reason instanceof Refusal && reason.status === 409 ? t("note.closed") : t("note.failed"));
    }
    setBusy(false);
  };
  return html`
    <form class="card note" onSubmit=${save}>
      <${Field} label=${t("note.title")} value=${text ?? kept} onInput=${setText} rows=${2} limit=${LIMIT} placeholder=${t("note.hint")} error=${error} />
      ${changed && html`<${Button} kind="main" type="submit" busy=${busy}>${t("note.save")}<//>`}
    </form>
  `;
}
