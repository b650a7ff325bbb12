import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { Icon } from "../parts/icon.js";
import { say } from "../parts/toast.js";
import { html, useState } from "../vendor/preact.js";
import { applyAll, cancel, MESSAGE, moveTo, write } from "./actions.js";
import { saveAs } from "./files.js";

/** @typedef {import("./actions.js").Result[]} Results */

const STEPS = ["confirmed", "picked_up", "out_for_delivery", "delivered", "returning"];

/** What can be done to the selected orders, with a result for each. @param {import("./app.js").Props} props */
export function Bulk({ board, session, commands }) {
  const [progress, setProgress] = useState("");
  const [results, setResults] = useState(/** @type {Results | undefined} */ (undefined));
  const [asking, setAsking] = useState(false);
  const [text, setText] = useState(/** @type {string | undefined} */ (undefined));
  const chosen = [...board.selected.value].flatMap(id => board.orders.get(id) ?? []);
  const run = async (/** @type {import("./actions.js").Step} */ step) => {
    const told = await applyAll(board, chosen, step, n => setProgress(t("bulk.progress", { n, of: chosen.length })));
    setProgress("");
    setResults(told);
    commands.mark(told.filter(r => r.error).map(r => r.order.id)); // those that are left to do
  };
  if (!chosen.length && !results) return null;
  return html`
    <div class="bulk" role="toolbar" aria-label=${t("bulk.label")}>
      <span class="strong num" role="status">${progress || t("bulk.selected", { n: chosen.length })}</span>
      ${session.can("assignCourier") && html`<${Button} icon="people" onClick=${() => commands.assign()}>${t("command.assign")}<//>`}
      ${
        session.can("updateOrderStatus") &&
        html`
      <select class="choice" aria-label=${t("bulk.move")} onChange=${(/** @type {any} */ e) => {
        if (e.target.value) run(moveTo(e.target.value));
        e.target.value = "";
      }}>
        <option value="">${t("bulk.move")}</option>
        ${STEPS.map(s => html`<option value=${s}>${t(`mark.${s}`)}</option>`)}
      </select>
        `
      }
      ${session.can("notifyCustomer") && html`<${Button} icon="bell" onClick=${() => setText("")}>${t("bulk.write")}<//>`}
      <${Button} icon="save" onClick=${() => save(chosen)}>${t("bulk.export")}<//>
      ${session.can("cancelOrder") && html`<${Button} kind="danger" onClick=${() => setAsking(true)}>${t("order.cancel")}<//>`}
      <${Button} kind="quiet" icon="close" label=${t("bulk.clear")} onClick=${() => commands.mark([])} />
      <${Dialog} open=${asking} title=${t("bulk.cancel.title", { n: chosen.length })} onClose=${() => setAsking(false)}
        actions=${html`<${Button} onClick=${() => setAsking(false)}>${t("keep")}<//><${Button} kind="danger" onClick=${() => {
          setAsking(false);
          run(cancel());
        }}>${t("order.cancel")}<//>`}><p>${t("order.cancel.text")}</p><//>
      <${Dialog} open=${text !== undefined} title=${t("bulk.write.title", { n: chosen.length })} onClose=${() => setText(undefined)}
        actions=${html`<${Button} onClick=${() => setText(undefined)}>${t("keep.closed")}<//><${Button} kind="main" disabled=${!text?.trim()} onClick=${() => {
          setText(undefined);
          run(write(text?.trim() ?? ""));
        }}>${t("message.send")}<//>`}><${Field} label=${t("message.text")} value=${text ?? ""} onInput=${setText} rows=${4} limit=${MESSAGE} /><//>
      <${Outcome} results=${results} close=${() => setResults(undefined)} />
    </div>
  `;
}

/** A line for each order. @param {{results: Results | undefined, close: () => void}} props */
export function Outcome({ results, close }) {
  const failed = results?.filter(r => r.error) ?? [];
  const undo = results?.flatMap(r => r.back ?? []) ?? [];
  const back = async () => {
    close();
    const undone = await Promise.allSettled(undo.map(f => f()));
    const n = undone.filter(u => u.status === "fulfilled").length;
    say(t("bulk.undone", { n }));
  };
  return html`
    <${Dialog} open=${results !== undefined} onClose=${close} title=${t("bulk.done", { n: (results?.length ?? 0) - failed.length, of: results?.length ?? 0 })}
      actions=${html`${undo.length > 0 && html`<${Button} onClick=${back}>${t("undo")}<//>`}<${Button} kind="main" onClick=${close}>${t("close")}<//>`}>
      <ul class="outcome">
        ${[...failed, ...(results ?? []).filter(r => !r.error)].map(
          r =>
            html`<li class=${r.error ? "bad" : "done"}><${Icon} name=${r.error ? "bad" : "check"} /><span class="num">${r.order.number}</span><span>${r.error ?? r.said ?? t(`mark.${r.order.status}`)}</span></li>`,
        )}
      </ul>
    <//>
  `;
}

/** Saves the orders as CSV that spreadsheets open safely. @param {import("./groups.js").Order[]} orders */
function save(orders) {
  const cell = (/** @type {unknown} */ v) => {
    const text = String(v ?? "");
    return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  };
  const head = ["number", "external_id", "status", "customer.name", "customer.phone", "dropoff.address", "promised_at", "delivered_at"];
  const rows = orders.map(o => [o.number, o.external_id, o.status, o.customer?.name, o.customer?.phone, o.dropoff?.address, o.promised_at, o.delivered_at]);
  saveAs("orders.csv", "text/csv", `\ufeff${[head, ...rows].map(r => r.map(cell).join(",")).join("\r\n")}\r\n`);
}
