import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { clock, shortDate } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { whyNot } from "./actions.js";

/** Who changed keys, settings and merchants. @param {{board: import("./board.js").Board}} props */
export function Audit({ board }) {
  const [entries, setEntries] = useState(/** @type {any[]} */ ([]));
  useEffect(() => {
    call("GET", "/audit?page_size=100").then(
      told => setEntries(told.entries),
      reason => say(whyNot(reason, board), { kind: "bad" }),
    );
  }, []);
  if (!entries.length) return null;
  return html`
    <div class="card">
      <h2>${t("tab.audit")}</h2>
      <ul class="audit">
        ${entries.map(e => {
          const at = Date.parse(e.at);
          return html`<li><time class="num quiet small" datetime=${e.at}>${shortDate(at, { lang })} ${clock(at, { lang })}</time><code class="small">${e.action}</code><span class="small">${e.object}</span><span class="small quiet">${e.actor?.kind} ${e.remote}</span></li>`;
        })}
      </ul>
    </div>
  `;
}
