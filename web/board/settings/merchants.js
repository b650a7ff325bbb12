import { call } from "../../api.js";
import { t } from "../../i18n/index.js";
import { Button } from "../../parts/button.js";
import { Checks } from "../../parts/choice.js";
import { Field } from "../../parts/field.js";
import { say } from "../../parts/toast.js";
import { html, useEffect, useState } from "../../vendor/preact.js";
import { whyNot } from "../actions.js";
import { go, route } from "../route.js";
import { BrandFields, ShowCourier } from "./fields.js";
import { Bound, Form, Picked } from "./form.js";
import { labelOf, useResource } from "./resource.js";

/** All merchants that the caller may see. @param {import("../app.js").Props} props @returns {any[]} */
export function useMerchants({ board, session }) {
  const [merchants, setMerchants] = useState([]);
  useEffect(() => {
    if (session.staff && session.can("listMerchants"))
      call("GET", "/merchants?page_size=500").then(
        told => setMerchants(told.merchants),
        reason => say(whyNot(reason, board), { kind: "bad" }),
      );
  }, []);
  return merchants;
}

/** The merchants, or the caller's own. @param {import("../app.js").Props} props */
export function Merchants(props) {
  const id = props.session.me.value?.merchant_id ?? route.value.id;
  return id ? html`<${One} key=${id} id=${id} ...${props} />` : html`<${List} ...${props} />`;
}

/** @param {import("../app.js").Props} props */
function List(props) {
  const merchants = useMerchants(props);
  const [id, setId] = useState("");
  return html`
    <div class="card">
      <h2>${t("tab.merchants")}</h2><p class="small quiet">${t("merchants.about")}</p>
      <ul class="settings-list">
        ${merchants.map(m => html`<li><button type="button" class="link" onClick=${() => go({ id: m.id })}><span class="strong" dir="auto">${m.name ?? m.id}</span><span class="quiet">${m.id}</span></button></li>`)}
      </ul>
      <form class="settings-row" onSubmit=${(/** @type {Event} */ e) => {
        e.preventDefault();
        if (id.trim()) go({ id: id.trim() });
      }}><${Field} label=${t("keys.merchant")} value=${id} onInput=${setId} limit=${128} /><${Button} type="submit">${t("merchants.open")}<//></form>
    </div>
  `;
}

const proofs = ["photo", "signature", "pin"];
const PROOF = "/proof_required";
const ACCOUNTS = "/carrier_accounts";

/** @param {import("../app.js").Props & {id: string}} props */
function One({ id, board, session }) {
  const of = useResource(board, `/merchants/${encodeURIComponent(id)}`, { blank: { id, version: 0 } });
  const back = session.staff && html`<${Button} icon="back" onClick=${() => go({ id: "" })}>${t("back")}<//>`;
  return html`
    <${Form} of=${of} title=${of.stored?.name ?? id} locked=${!session.can("editMerchant")} more=${back}>
      <${Bound} of=${of} at="/name" limit=${200} />
      <${Bound} of=${of} at="/email" limit=${254} hint=${t("merchants.email.hint")} />
      <${BrandFields} of=${of} />
      <${Bound} of=${of} at="/locale" limit=${35} hint=${t("merchants.locale.hint")} />
      <${Bound} of=${of} at="/timezone" limit=${64} hint=${t("merchants.timezone.hint")} />
      <${ShowCourier} of=${of} inherit />
      <${Checks} label=${labelOf(PROOF)} values=${of.get(PROOF) ?? []} options=${proofs.map(p => [p, t(`proof.${p}`)])} error=${of.errors[PROOF]} onChange=${(/** @type {string[]} */ v) => of.set(PROOF, v)} />
      <${Picked} of=${of} at="/promise" options=${[...(of.get("/promise") ? [] : [["", t("setting.inherit")]]), ["none", t("promise.none")], ["p90", t("promise.p90")]]} />
      ${
        session.staff &&
        html`<${Field} label=${labelOf(ACCOUNTS)} value=${(of.get(ACCOUNTS) ?? []).join(", ")} hint=${t("merchants.accounts.hint")} error=${of.errors[ACCOUNTS] ?? of.errors[`${ACCOUNTS}/0`]}
        onInput=${(/** @type {string} */ v) => of.set(ACCOUNTS, v.split(/,\s*/).filter(Boolean))} />`
      }
    <//>
  `;
}
