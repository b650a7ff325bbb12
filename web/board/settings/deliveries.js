import { call } from "../../api.js";
import { lang, t } from "../../i18n/index.js";
import { Button } from "../../parts/button.js";
import { Choice } from "../../parts/choice.js";
import { Field } from "../../parts/field.js";
import { ago } from "../../parts/time.js";
import { say } from "../../parts/toast.js";
import { html, useEffect, useState } from "../../vendor/preact.js";
import { whyNot } from "../actions.js";
import { localOf, timeOf } from "../edit.js";
import { go } from "../route.js";

const statuses = ["waiting", "sent", "exhausted", "held", "refused", "skipped"];
const HOUR = 3600_000;

/** The log of a webhook: retry one, replay a period. @param {{path: string, board: import("../board.js").Board}} props */
export function Deliveries({ path, board }) {
  const [list, setList] = useState(/** @type {any[]} */ ([]));
  const [next, setNext] = useState("");
  const [status, setStatus] = useState("");
  const [from, setFrom] = useState(() => localOf(new Date(board.clock() - HOUR).toISOString()));
  const bad = (/** @type {unknown} */ reason) => say(whyNot(reason, board), { kind: "bad" });
  const load = (token = "") => {
    const query = new URLSearchParams({ page_size: "50", ...(status && { status }), ...(token && { page_token: token }) });
    return call("GET", `${path}/deliveries?${query}`).then(told => {
      setList(was => [...(token ? was : []), ...told.deliveries]);
      setNext(told.next_page_token ?? "");
    }, bad);
  };
  useEffect(() => void load(), [status]);
  const retry = (/** @type {string} */ id) => call("POST", `${path}/deliveries/${id}/retry`, { key: crypto.randomUUID() }).then(() => load(), bad);
  const replay = (/** @type {Event} */ e) => {
    e.preventDefault();
    return call("POST", `${path}/replay`, { body: { from: timeOf(from) }, key: crypto.randomUUID() }).then(told => {
      say(t("deliveries.replayed", { n: told.deliveries }));
      return load();
    }, bad);
  };
  return html`
    <section class="card">
      <header class="card-head"><h2>${t("deliveries.title")}</h2><${Button} icon="again" onClick=${() => load()}>${t("deliveries.again")}<//></header>
      <form class="settings-row" onSubmit=${replay}>
        <${Choice} label=${t("deliveries.status")} value=${status} options=${[["", t("deliveries.all")], ...statuses.map(s => [s, t(`delivery.${s}`)])]} onPick=${setStatus} />
        <${Field} label=${t("deliveries.from")} type="datetime-local" value=${from} onInput=${setFrom} />
        <${Button} type="submit" disabled=${!from}>${t("deliveries.replay")}<//>
      </form>
      ${list.length === 0 && html`<p class="quiet">${t("deliveries.empty")}</p>`}
      <ul class="settings-list deliveries">
        ${list.map(
          d => html`
            <li>
              <span class=${d.status === "exhausted" || d.status === "refused" ? "late-mark" : ""}>${t(`delivery.${d.status}`)}</span>
              <button type="button" class="link" onClick=${() => go({ order: d.order_id })}>${t(`event.${d.type}`)}${board.orders.has(d.order_id) && ` · ${board.orders.get(d.order_id)?.number}`}</button>
              <span class="small quiet">${[d.code, d.error].filter(Boolean).join(" ")}</span>
              <span class="small quiet num">${t("deliveries.tries", { n: d.tries })} ${d.tried_at && ago(Date.parse(d.tried_at), board.now.value, { lang })}</span>
              ${d.status !== "waiting" && html`<${Button} kind="quiet" icon="again" label=${t("deliveries.retry")} onClick=${() => retry(d.id)} />`}
            </li>
          `,
        )}
      </ul>
      ${next && html`<${Button} onClick=${() => load(next)}>${t("more")}<//>`}
    </section>
  `;
}
