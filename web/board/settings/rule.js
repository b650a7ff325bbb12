import { t } from "../../i18n/index.js";
import { Button } from "../../parts/button.js";
import { Checks, Choice } from "../../parts/choice.js";
import { Dialog } from "../../parts/dialog.js";
import { Field } from "../../parts/field.js";
import { statuses } from "../../parts/status.js";
import { html, useState } from "../../vendor/preact.js";
import { channels } from "./channels.js";
import { Preview } from "./preview.js";

/** @typedef {import("./rules.js").NotificationRule} NotificationRule */

const CHANGED = "order.status_changed";
const events = [CHANGED, "order.created", "order.late", "courier.near", "order.exception", "order.changed"];
const MINUTE = 60; // seconds

/**
 * One rule: when, how, and what is said.
 * @param {{rule: NotificationRule, board: import("../board.js").Board, available: string[], locked: boolean, close: () => void, keep: (rule: NotificationRule) => void}} props
 */
export function Rule({ rule, board, available, locked, close, keep }) {
  const [now, setNow] = useState({ ...rule });
  const set = (/** @type {Partial<NotificationRule>} */ change) => setNow({ ...now, ...change });
  const [from = "", to = ""] = (now.quiet ?? "").split("-");
  const quiet = (/** @type {string} */ a, /** @type {string} */ b) => set({ quiet: a || b ? `${a || "22:00"}-${b || "08:00"}` : undefined });
  const save = () => {
    close();
    keep(/** @type {NotificationRule} */ (Object.fromEntries(Object.entries(now).filter(([, v]) => v !== undefined && v !== "" && v !== false && v !== 0))));
  };
  const state = now.event === CHANGED;
  return html`
    <${Dialog} open side title=${t("rules.one")} onClose=${close}
      actions=${html`<${Button} onClick=${close}>${t("keep.closed")}<//>${!locked && html`<${Button} kind="main" onClick=${save}>${t("rules.keep")}<//>`}`}>
      <fieldset class="form" disabled=${locked}>
        <${Choice} label=${t("rules.event")} value=${now.event} options=${[...new Set([...events, now.event])].map(e => [e, t(`event.${e}`)])} onPick=${(/** @type {string} */ event) => set({ event, status: event === CHANGED ? "out_for_delivery" : undefined })} />
        ${state && html`<${Choice} label=${t("rules.status")} value=${now.status ?? ""} options=${[["", t("rules.any")], ...statuses.map(s => [s, t(`mark.${s}`)])]} onPick=${(/** @type {any} */ status) => set({ status: status || undefined })} />`}
        <${Checks} label=${t("rules.channels")} ordered values=${now.channels ?? []} onChange=${(/** @type {string[]} */ v) => set({ channels: v })} hint=${t("rules.channels.hint")}
          options=${channels.map(c => [c, available.includes(c) || c === "webhook" ? t(`channel.${c}`) : t("channel.missing", { name: t(`channel.${c}`) })])} />
        <${Field} label=${t("rules.delay")} type="number" value=${now.delay_s ? String(now.delay_s / MINUTE) : ""} onInput=${(/** @type {string} */ v) => set({ delay_s: v ? Math.round(Number(v) * MINUTE) : undefined })} />
        <div class="settings-row">
          <${Field} label=${t("rules.quiet.from")} type="time" value=${from} onInput=${(/** @type {string} */ v) => quiet(v, to)} />
          <${Field} label=${t("rules.quiet.to")} type="time" value=${to} onInput=${(/** @type {string} */ v) => quiet(from, v)} />
          ${now.quiet && html`<${Button} onClick=${() => set({ quiet: undefined })}>${t("remove")}<//>`}
        </div>
        <label class="check"><input type="checkbox" checked=${now.again === true} onChange=${(/** @type {any} */ e) => set({ again: e.target.checked })} /><span>${t("rules.again")}</span></label>
        <${Field} label=${t("rules.template")} rows=${4} limit=${2000} value=${now.template ?? ""} hint=${t("rules.template.hint")} onInput=${(/** @type {string} */ template) => set({ template })} />
        <${Preview} text=${now.template} name=${nameOf(now)} board=${board} />
      </fieldset>
    <//>
  `;
}

/** The built-in text about an event. @param {NotificationRule} rule */
function nameOf({ event, status }) {
  /** @type {Record<string, string>} */
  const names = {
    "order.created": "accepted",
    "courier.near": "near",
    "order.late": "late",
    out_for_delivery: "on_its_way",
    at_dropoff: "at_the_door",
    delivered: "delivered",
    delivery_failed: "failed_attempt",
    ready_for_pickup: "ready_for_pickup",
    cancelled: "cancelled",
  };
  return names[event === CHANGED ? (status ?? "") : event] ?? "status";
}
