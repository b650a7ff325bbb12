import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Empty } from "../parts/notice.js";
import { clock, shortDate } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { nameOf, whyNot } from "./actions.js";

/** Who changed keys, settings and merchants. @param {{board: import("./board.js").Board}} props */
export function Audit({ board }) {
  const [entries, setEntries] = useState(/** @type {any[] | undefined} */ (undefined));
  useEffect(() => {
    call("GET", "/audit?page_size=100").then(
      told => setEntries(told.entries),
      reason => say(whyNot(reason, board), { kind: "bad" }),
    );
  }, []);
  return html`
    <div class="card">
      <h2>${t("tab.audit")}</h2>
      <p class="small quiet">${t("audit.about")}</p>
      ${entries?.length === 0 && html`<${Empty} icon="check" title=${t("audit.empty")} />`}
      <ul class="audit">
        ${entries?.map(e => {
          const at = Date.parse(e.at);
          return html`<li><time class="num quiet small" datetime=${e.at}>${shortDate(at, { lang })} ${clock(at, { lang })}</time><code class="small">${e.action}</code><span class="small">${e.object}</span><span class="small quiet" title=${e.remote} dir="auto">${nameOf(e.actor, board) || t(`actor.${e.actor?.kind}`)}</span></li>`;
        })}
      </ul>
    </div>
  `;
}
