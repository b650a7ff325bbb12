import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { act } from "./actions.js";

/** A time as the field of a form wants it: local, to the minute. @param {string | undefined} time */
export function localOf(time) {
  if (!time) return "";
  const d = new Date(time);
  return new Date(d.getTime() - d.getTimezoneOffset() * 60_000).toISOString().slice(0, 16);
}

/** @param {string} local */
export const timeOf = local => (local ? new Date(local).toISOString() : null);

/** Edits addresses, promise and notes. @param {{order: import("./groups.js").Order, board: import("./board.js").Board, open: boolean, close: () => void}} props */
export function EditOrder({ order, board, open, close }) {
  const before = { address: order.dropoff?.address ?? "", door: order.dropoff?.notes ?? "", promised: localOf(order.promised_at), notes: order.notes ?? "" };
  const [now, setNow] = useState(before);
  const [busy, setBusy] = useState(false);
  useEffect(() => setNow(before), [open]);
  const set = (/** @type {string} */ name) => (/** @type {string} */ value) => setNow({ ...now, [name]: value });
  const save = async () => {
    /** @type {Record<string, any>} */
    const body = {};
    if (now.address !== before.address || now.door !== before.door) {
      // A moved door is somewhere else: its old place on the map goes.
      body.dropoff = { address: now.address, notes: now.door, ...(now.address === before.address && { location: order.dropoff?.location }) };
    }
    if (now.promised !== before.promised) body.promised_at = timeOf(now.promised);
    if (now.notes !== before.notes) body.notes = now.notes || null;
    if (!Object.keys(body).length) return close();
    setBusy(true);
    const done = await act(board, order, { method: "PATCH", path: "", body }, t("done.saved"));
    setBusy(false);
    if (done) close();
  };
  return html`
    <${Dialog} open=${open} side title=${t("order.edit.title", { number: order.number ?? "" })} onClose=${close}
      actions=${html`<${Button} onClick=${close}>${t("keep.closed")}<//><${Button} kind="main" busy=${busy} onClick=${save}>${t("save")}<//>`}>
      <div class="form">
        <${Field} label=${t("fact.to")} value=${now.address} onInput=${set("address")} limit=${500} />
        <${Field} label=${t("create.door")} value=${now.door} onInput=${set("door")} limit=${500} />
        <${Field} label=${t("fact.promised")} value=${now.promised} onInput=${set("promised")} type="datetime-local" />
        <${Field} label=${t("fact.notes")} value=${now.notes} onInput=${set("notes")} rows=${3} limit=${2000} />
      </div>
    <//>
  `;
}
