import { call } from "../../api.js";
import { t } from "../../i18n/index.js";
import { Button } from "../../parts/button.js";
import { Checks } from "../../parts/choice.js";
import { Dialog } from "../../parts/dialog.js";
import { Field } from "../../parts/field.js";
import { Icon } from "../../parts/icon.js";
import { Empty } from "../../parts/notice.js";
import { say } from "../../parts/toast.js";
import { html, useEffect, useState } from "../../vendor/preact.js";
import { whyNot } from "../actions.js";
import { go, route } from "../route.js";
import { Secret } from "../secret.js";
import { Webhook } from "./webhook.js";

const types = [
  "order.created",
  "order.status_changed",
  "order.changed",
  "order.exception",
  "shipment.booked",
  "shipment.changed",
  "payment.received",
  "intake.changed",
  "order.rated",
  "courier.near",
  "courier.silent",
  "order.late",
  "order.report_late",
  "order.notified",
  "proof.added",
  "incident.opened",
  "incident.closed",
];

/** What a webhook is told. @param {{values: string[], onChange: (values: string[]) => void, error?: string}} props */
export const Types = props => html`
  <${Checks} label=${t("setting.types")} hint=${t("webhooks.types.hint")} options=${[...new Set([...types, ...props.values])].map(v => [v, t(`event.${v}`)])} ...${props} />
`;

/** The webhooks, or one. @param {import("../app.js").Props} props */
export function Webhooks(props) {
  const { id } = route.value;
  return id ? html`<${Webhook} key=${id} id=${id} ...${props} />` : html`<${List} ...${props} />`;
}

/** @param {import("../app.js").Props} props */
function List({ board, session }) {
  const [hooks, setHooks] = useState(/** @type {any[] | undefined} */ (undefined));
  const [making, setMaking] = useState(false);
  const [secret, setSecret] = useState("");
  const load = () =>
    call("GET", "/webhooks?page_size=500").then(
      told => setHooks(told.webhooks),
      reason => say(whyNot(reason, board), { kind: "bad" }),
    );
  useEffect(() => void load(), []);
  const made = (/** @type {any} */ hook) => {
    setMaking(false);
    setSecret(hook.secret);
    load();
  };
  return html`
    <div class="card">
      <header class="card-head"><h2>${t("tab.webhooks")}</h2><${Button} icon="plus" onClick=${() => setMaking(true)}>${t("webhooks.make")}<//></header>
      <p class="small quiet">${t("webhooks.about")}</p>
      ${hooks?.length === 0 && html`<${Empty} icon="go" title=${t("webhooks.empty")} />`}
      <ul class="settings-list">
        ${hooks?.map(
          w => html`
            <li class=${w.enabled ? "done" : "bad"}><button type="button" class="link" onClick=${() => go({ id: w.id })}>
              <${Icon} name=${w.enabled ? "check" : "bad"} label=${t(w.enabled ? "webhooks.on" : `disabled.${w.disabled?.reason ?? "by_hand"}`)} />
              <span class="strong" dir="auto">${w.description || new URL(w.url).host}</span><span class="small quiet">${w.url}</span><span class="small quiet">${w.merchant_id}</span>
            </button></li>
          `,
        )}
      </ul>
      ${making && html`<${New} board=${board} staff=${session.staff} close=${() => setMaking(false)} made=${made} />`}
      <${Secret} title=${t("webhooks.secret")} value=${secret} close=${() => setSecret("")} />
    </div>
  `;
}

/** @param {{board: import("../board.js").Board, staff: boolean, close: () => void, made: (hook: any) => void}} props */
function New({ board, staff, close, made }) {
  const [form, setForm] = useState({ url: "https://", description: "", merchant_id: "", types: /** @type {string[]} */ ([]) });
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const set = (/** @type {string} */ name) => (/** @type {any} */ value) => setForm({ ...form, [name]: value });
  const save = async () => {
    const body = Object.fromEntries(Object.entries(form).filter(([, v]) => v.length > 0));
    try {
      made(await call("POST", "/webhooks", { body, key: crypto.randomUUID() }));
    } catch (/** @type {any} */ reason) {
      const faults = reason.problem?.errors ?? [];
      setErrors(Object.fromEntries(faults.map((/** @type {any} */ f) => [f.pointer, f.detail])));
      if (!faults.length) say(whyNot(reason, board), { kind: "bad" });
    }
  };
  return html`
    <${Dialog} open side title=${t("webhooks.make")} onClose=${close} actions=${html`<${Button} onClick=${close}>${t("keep.closed")}<//><${Button} kind="main" onClick=${save}>${t("webhooks.make")}<//>`}>
      <form class="form" onSubmit=${(/** @type {Event} */ e) => {
        e.preventDefault();
        save();
      }}>
        <${Field} label=${t("setting.url")} value=${form.url} onInput=${set("url")} limit=${2000} error=${errors["/url"]} />
        <${Field} label=${t("setting.description")} value=${form.description} onInput=${set("description")} limit=${200} error=${errors["/description"]} />
        ${staff && html`<${Field} label=${t("keys.merchant")} value=${form.merchant_id} onInput=${set("merchant_id")} limit=${128} hint=${t("webhooks.merchant.hint")} error=${errors["/merchant_id"]} />`}
        <${Types} values=${form.types} onChange=${set("types")} error=${errors["/types"]} />
        <button type="submit" hidden></button>
      </form>
    <//>
  `;
}
