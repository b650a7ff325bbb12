import { t } from "../../i18n/index.js";
import { Field } from "../../parts/field.js";
import { html } from "../../vendor/preact.js";

/** All channels, the cheapest first. */
export const channels = ["live", "email", "telegram", "max", "webpush", "sms", "webhook"];

const costly = new Set(["sms", "telegram"]); // off until they are turned on
const CAP = 200; // messages a day without a limit of one's own

/** Which channels are on, and how many messages a day. @param {{of: import("./resource.js").Resource}} props */
export function Channels({ of }) {
  /** @type {string[]} */
  const available = (of.stored?.available ?? []).filter((/** @type {string} */ c) => c !== "live");
  return html`
    <section class="form">
      <h3>${t("channels.title")}</h3>
      ${available.length === 0 && html`<p class="small quiet">${t("channels.none")}</p>`}
      ${available.map(c => {
        const at = `/channels/${c}`;
        const now = of.get("/channels")?.[c] ?? { enabled: !costly.has(c) };
        const set = (/** @type {any} */ change) => of.set("/channels", { ...of.get("/channels"), [c]: { ...now, ...change } });
        return html`
          <div class="settings-row">
            <label class="check"><input type="checkbox" checked=${now.enabled} onChange=${(/** @type {any} */ e) => set({ enabled: e.target.checked })} /><span>${t(`channel.${c}`)}</span></label>
            ${costly.has(c) && html`<${Field} label=${t("channels.cap")} type="number" value=${String(now.daily_cap ?? CAP)} error=${of.errors[`${at}/daily_cap`]} onInput=${(/** @type {string} */ v) => set({ daily_cap: Number(v) })} />`}
          </div>
        `;
      })}
    </section>
  `;
}
