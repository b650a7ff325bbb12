import { t } from "../../i18n/index.js";
import { Button } from "../../parts/button.js";
import { Choice } from "../../parts/choice.js";
import { html, useState } from "../../vendor/preact.js";
import { go, route } from "../route.js";
import { Channels } from "./channels.js";
import { Form } from "./form.js";
import { useMerchants } from "./merchants.js";
import { useResource } from "./resource.js";
import { Rule } from "./rule.js";
import { Texts } from "./texts.js";

/** @typedef {import("#api").components["schemas"]["NotificationRule"]} NotificationRule */

const RULES = "/rules";
const fresh = { event: "order.status_changed", status: "out_for_delivery", channels: [] };

/** What customers are told, when and how. @param {import("../app.js").Props} props */
export function Rules(props) {
  const { board, session } = props;
  const merchants = useMerchants(props);
  const { id = "" } = route.value;
  const of = useResource(board, `/notification-rules${session.staff && id ? `?merchant_id=${encodeURIComponent(id)}` : ""}`, {
    whole: ["channels", "rules", "texts"],
  });
  const [editing, setEditing] = useState(/** @type {number | undefined} */ (undefined));
  const may = session.can("putNotificationRules");
  /** @type {NotificationRule[]} */
  const rules = of.get(RULES) ?? [];
  const put = (/** @type {number} */ i, /** @type {NotificationRule[]} */ ...those) => of.set(RULES, rules.toSpliced(i, 1, ...those));
  const whose = [["", t("rules.everybody")], ...(id && !merchants.some(m => m.id === id) ? [[id, id]] : []), ...merchants.map(m => [m.id, m.name ?? m.id])];
  const faults = Object.entries(of.errors).filter(([at]) => at.startsWith(RULES));
  return html`
    <${Form} of=${of} title=${t("tab.rules")} about=${t("rules.about")} locked=${!may}>
      ${session.staff && html`<${Choice} label=${t("rules.whose")} value=${id} options=${whose} onPick=${(/** @type {string} */ v) => go({ id: v })} />`}
      <ol class="settings-list rules">
        ${rules.map(
          (rule, i) => html`
            <li>
              <button type="button" class="link" onClick=${() => setEditing(i)}><span class="strong">${rule.status ? t(`mark.${rule.status}`) : t(`event.${rule.event}`)}</span></button>
              <span class="small">${rule.channels?.length ? rule.channels.map(c => t(`channel.${c}`)).join(", ") : t("rules.nothing")}</span>
              <span class="small quiet num">${rule.delay_s ? t("rules.after", { n: Math.round(rule.delay_s / 60) }) : ""} ${rule.quiet ? t("rules.not", { span: rule.quiet }) : ""}</span>
              ${may && html`<${Button} kind="quiet" icon="close" label=${t("rules.remove")} onClick=${() => put(i)} />`}
            </li>
          `,
        )}
      </ol>
      ${faults.map(([at, detail]) => html`<p class="field-error">${t("rules.fault", { n: Number(at.split("/")[2]) + 1 })} ${detail}</p>`)}
      ${may && html`<${Button} icon="plus" onClick=${() => setEditing(rules.length)}>${t("rules.add")}<//>`}
      <${Channels} of=${of} />
      <${Texts} of=${of} board=${board} />
    <//>
    ${editing !== undefined && html`<${Rule} key=${editing} rule=${rules[editing] ?? fresh} board=${board} locked=${!may} available=${of.stored?.available ?? []} close=${() => setEditing(undefined)} keep=${(/** @type {NotificationRule} */ r) => put(editing, r)} />`}
  `;
}
