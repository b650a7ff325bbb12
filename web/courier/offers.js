import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { metres } from "../parts/map/glide.js";
import { clock } from "../parts/time.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { newID } from "./act.js";
import { ring } from "./bell.js";
import { distance } from "./card.js";
import { Sheet } from "./sheet.js";

/** @typedef {import("./day.js").Offer} Offer */

/** Offered orders, each with the time that is left. @param {import("./app.js").Props} props */
export function Offers({ day, tracker }) {
  const [declining, setDeclining] = useState(/** @type {Offer | undefined} */ (undefined));
  const now = day.now.value + day.offset;
  const open = day.offers.value.filter(o => Date.parse(o.expires_at) > now);
  const newest = open[0]?.id;
  useEffect(() => {
    if (newest) ring();
  }, [newest]);
  const answer = async (/** @type {Offer} */ offer, /** @type {"accept"|"decline"} */ what, /** @type {string} */ reason) => {
    setDeclining(undefined);
    try {
      await call("POST", `/offer/${offer.id}/${what}`, { body: reason ? { reason } : {}, key: newID() });
      if (what === "accept") say(t("offer.yours"));
      day.offers.value = day.offers.value.filter(o => o.id !== offer.id);
    } catch (why) {
      const { status, code } = /** @type {import("../api.js").Refusal} */ (why);
      say(t(code === "offer_gone" ? "offer.gone" : code === "courier_busy" ? "offer.busy" : status === 0 ? "offer.offline" : "offer.failed"), { kind: "bad" });
    }
    day.later();
  };
  return html`
    ${open.map(offer => html`<${One} key=${offer.id} offer=${offer} now=${now} here=${tracker.last.value} accept=${() => answer(offer, "accept", "")} decline=${() => setDeclining(offer)} />`)}
    ${declining && html`<${Sheet} part="Decline" decline=${(/** @type {string} */ why) => answer(declining, "decline", why)} close=${() => setDeclining(undefined)} />`}
  `;
}

/** @param {{offer: any, now: number, here?: {lat: number, lon: number}, accept: () => void, decline: () => void}} props */
function One({ offer, now, here, accept, decline }) {
  const [busy, setBusy] = useState(false);
  const left = Math.max(0, Math.ceil((Date.parse(offer.expires_at) - now) / 1000));
  const { pickup, dropoff, promised_at: by } = offer;
  const far = here && pickup?.location ? distance(metres(here, pickup.location)) : "";
  const take = async () => {
    setBusy(true);
    await accept();
    setBusy(false);
  };
  return html`
    <section class="app-card app-offer" role="alert">
      <header class="app-card-head"><h2><${Icon} name="bell" /><span>${t("offer.title")}</span></h2><span class="app-left num">${Math.floor(left / 60)}:${String(left % 60).padStart(2, "0")}</span></header>
      ${pickup && html`<p class="app-leg"><${Icon} name="shop" label=${t("stop.pickup")} /><span dir="auto">${pickup.address ?? t("stop.no_address")}</span><span class="num quiet">${far}</span></p>`}
      ${dropoff && html`<p class="app-leg"><${Icon} name="home" label=${t("stop.dropoff")} /><span dir="auto">${dropoff.address ?? t("stop.no_address")}</span><span class="num quiet">${by ? t("stop.by", { time: clock(Date.parse(by), { lang }) }) : ""}</span></p>`}
      <div class="app-answer">
        <${Button} onClick=${decline}>${t("offer.decline")}<//>
        <${Button} kind="main" size="large" busy=${busy} onClick=${take}>${t("offer.accept")}<//>
      </div>
    </section>
  `;
}
