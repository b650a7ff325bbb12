import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Choice } from "../parts/choice.js";
import { Field } from "../parts/field.js";
import { ago } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { nameOf, whyNot } from "./actions.js";

const codes = ["not_there", "wrong_address", "cannot_find", "refused", "damaged", "other"];

/** What an incident is, in words. @param {any} x */
const incidentName = x => (codes.includes(x.code) || x.code === "pin_locked" ? t(`incident.${x.code}`) : x.code);

/** The incidents of an order: what was reported, with a photo, and what came of it. @param {import("./app.js").Props & {order: import("./groups.js").Order}} props */
export function Incidents({ order, board, session }) {
  const [list, setList] = useState(/** @type {any[]} */ ([]));
  const [draft, setDraft] = useState(/** @type {{code: string, text: string} | undefined} */ (undefined));
  const path = `/order/${order.id}/incidents`;
  const load = () =>
    session.can("listIncidents")
      ? call("GET", path).then(
          told => setList(told.incidents),
          () => {},
        )
      : undefined; // the next note asks again
  useEffect(() => void load(), [order.id, board.noted.get(order.id)]);
  const send = (/** @type {string} */ to, /** @type {any} */ body) =>
    call("POST", to, { body, key: crypto.randomUUID() }).then(
      () => {
        setDraft(undefined);
        board.note(order.id);
      },
      reason => say(whyNot(reason, board), { kind: "bad" }),
    );
  const now = board.now.value;
  return html`
    ${list.map(
      x => html`
        <section class=${`card incident ${x.closed_at ? "" : "open"}`}>
          <h3>${incidentName(x)}</h3>
          ${x.text && html`<p dir="auto">${x.text}</p>`}
          ${x.photo_url && html`<a href=${x.photo_url} target="_blank" rel="noreferrer"><img src=${x.photo_url} alt=${t("incident.photo")} loading="lazy" /></a>`}
          <p class="small quiet">${nameOf(x.actor, board) || t(`actor.${x.actor?.kind ?? "admin"}`)} · ${ago(Math.min(Date.parse(x.occurred_at), now), now, { lang })}${x.closed_at && ` · ${[t("incident.closed"), x.resolution].filter(Boolean).join(": ")}`}</p>
          ${!x.closed_at && session.can("closeIncident") && html`<${Button} icon="check" onClick=${() => send(`${path}/${x.id}/close`, {})}>${t("incident.close")}<//>`}
        </section>
      `,
    )}
    ${session.can("openIncident") && !draft && html`<div><${Button} kind="quiet" icon="bad" onClick=${() => setDraft({ code: codes[0], text: "" })}>${t("incident.open")}<//></div>`}
    ${
      draft &&
      html`
        <form class="card message" onSubmit=${(/** @type {Event} */ e) => {
          e.preventDefault();
          send(path, { code: draft.code, ...(draft.text && { text: draft.text }) });
        }}>
          <${Choice} label=${t("incident.what")} value=${draft.code} options=${codes.map(c => [c, t(`incident.${c}`)])} onPick=${(/** @type {string} */ code) => setDraft({ ...draft, code })} />
          <${Field} label=${t("incident.text")} value=${draft.text} rows=${2} limit=${2000} onInput=${(/** @type {string} */ text) => setDraft({ ...draft, text })} />
          <div><${Button} kind="main" type="submit">${t("incident.open")}<//> <${Button} onClick=${() => setDraft(undefined)}>${t("keep.closed")}<//></div>
        </form>
      `
    }
  `;
}
