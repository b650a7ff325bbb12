import { t } from "../i18n/index.js";
import { Icon } from "../parts/icon.js";
import { html } from "../vendor/preact.js";
import { alertsOf } from "./alerts.js";
import { go, route } from "./route.js";

/** The places of the board. @param {import("./app.js").Props} props */
export function Rail({ board, session, commands }) {
  const now = route.value.view ?? "orders";
  const waiting = alertsOf(board).length;
  const places = [
    ["orders", "list", true],
    ["alerts", "bell", true],
    ["couriers", "people", session.can("listCouriers")],
    ["plan", "route", session.can("planDispatch")],
    ["reports", "chart", session.can("reportDeliveries")],
    ["settings", "set", true],
  ];
  return html`
    <nav class="rail" aria-label=${t("rail.label")}>
      ${places
        .filter(([, , may]) => may)
        .map(
          ([view, icon]) => html`
            <button type="button" class="rail-place" aria-current=${view === now ? "page" : undefined} title=${t(`rail.${view}`)}
              onClick=${() => go({ view: view === "orders" ? "" : String(view), order: "", courier: "" })}>
              <${Icon} name=${view === "alerts" && waiting ? "bell" : icon} />
              <span>${t(`rail.${view}`)}</span>
              ${view === "alerts" && waiting > 0 && html`<span class="badge num">${waiting}</span>`}
            </button>
          `,
        )}
      <span class="rail-gap"></span>
      <button type="button" class="rail-place" title=${t("rail.commands")} onClick=${() => commands.palette("")}><${Icon} name="search" /><span>${t("rail.commands")}</span></button>
      <button type="button" class="rail-place" title=${t("rail.help")} onClick=${() => (commands.help.value = true)}><${Icon} name="info" /><span>${t("rail.help")}</span></button>
    </nav>
  `;
}
