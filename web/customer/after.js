// What comes after the delivery.
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Field } from "../parts/field.js";
import { Stars } from "../parts/stars.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";

const LIMIT = 1000;

/** The rating: one tap and an optional comment. @param {{store: import("./store.js").Store, order: import("./story.js").Order}} props */
export function Rating({ store, order }) {
  const [stars, setStars] = useState(0);
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const [done, setDone] = useState(false);
  const given = stars || order.rating?.stars || 0;
  const send = async (/** @type {{stars: number, text?: string}} */ rating) => {
    setBusy(true);
    try {
      await store.change("/rating", rating);
      setStars(rating.stars);
      setDone(Boolean(rating.text));
    } catch {
      say(t("rating.failed"), { kind: "bad" });
    }
    setBusy(false);
  };
  const asks = stars > 0 && !done;
  return html`
    <section class="card rating">
      <h2>${given ? t("rating.thanks") : t("rating.title")}</h2>
      <${Stars} value=${given} busy=${busy} onPick=${order.rating && !stars ? undefined : (/** @type {number} */ n) => send({ stars: n, text: text.trim() || undefined })} />
      ${
        asks &&
        html`
          <${Field} label=${t("rating.more")} value=${text} onInput=${setText} rows=${2} limit=${LIMIT} />
          ${text.trim() && html`<${Button} kind="main" busy=${busy} onClick=${() => send({ stars, text: text.trim() })}>${t("rating.send")}<//>`}
        `
      }
    </section>
  `;
}

/** How it was handed over. @param {{store: import("./store.js").Store, order: import("./story.js").Order}} props */
export function Proof({ store, order }) {
  const [proofs, setProofs] = useState(/** @type {any[]} */ ([]));
  const wanted = Boolean(order.proof_required?.length);
  useEffect(() => {
    if (wanted)
      store.call("GET", "/proof").then(
        answer => setProofs(answer.proofs ?? []),
        () => {},
      ); // a page without a photo is a page
  }, [wanted]);
  if (!proofs.length) return null;
  return html`
    <section class="card">
      ${proofs.map(
        proof => html`
          ${proof.recipient && html`<p dir="auto">${t("proof.to", { name: proof.recipient })}</p>`}
          ${proof.photo_url && html`<img class="proof" src=${`${proof.photo_url}?token=${encodeURIComponent(store.token ?? "")}`} alt=${t("proof.photo")} />`}
        `,
      )}
    </section>
  `;
}
