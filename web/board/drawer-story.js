import { t } from "../i18n/index.js";
import { groupOf } from "../parts/status.js";
import { Timeline } from "../parts/timeline.js";
import { html } from "../vendor/preact.js";
import { nameOf } from "./actions.js";

/** What happened, with who and why. @param {{events: any[], order: import("./groups.js").Order, board: import("./board.js").Board}} props */
export function Story({ events, order, board }) {
  const entries = events.toReversed().map(e => ({
    id: e.id,
    at: Date.parse(e.occurred_at),
    text: sentence(e),
    detail: [who(e, board), e.reason, e.data?.text ?? e.data?.proof?.recipient].filter(Boolean).join(" · "),
    group:
      e.type === "order.exception" || e.type === "order.late"
        ? /** @type {const} */ ("bad")
        : e.type === "order.status_changed" || e.type === "order.created"
          ? groupOf(e.status)
          : /** @type {const} */ ("idle"),
  }));
  if (!entries.length) return null;
  return html`<section class="card"><h3>${t("history.title")}</h3><${Timeline} entries=${entries} now=${board.now.value} zone=${order.timezone} /></section>`;
}

/** @param {any} e */
function sentence(e) {
  if (e.type === "order.created" || (e.type === "order.status_changed" && e.status !== e.previous_status)) return t(`mark.${e.status}`);
  if (e.type === "order.status_changed") return t("event.reassigned");
  return t(`event.${e.type}`);
}

/** @param {any} e @param {import("./board.js").Board} board */
function who(e, board) {
  const kind = e.actor?.kind;
  if (!kind || kind === "system") return "";
  return nameOf(e.actor, board) || t(`actor.${kind}`);
}
