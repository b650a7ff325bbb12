// The customer's page: one order, by its link.
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { early, Later } from "../parts/later.js";
import { Toasts } from "../parts/toast.js";
import { start } from "../start.js";
import { html, useLayoutEffect } from "../vendor/preact.js";
import { Bringer } from "./bringer.js";
import { Note } from "./note.js";
import { Place, placesOf } from "./place.js";
import { Alone, Bones, Brand, Head, History, Items } from "./sections.js";
import { Store } from "./store.js";
import { story } from "./story.js";

start(async boot => {
  if (boot.opt_out) return html`<${OptOut} boot=${boot} />`;
  const store = boot.order_id ? new Store(boot) : undefined;
  store?.start();
  if (store?.reachable) Object.assign(early, await import("./messages.js"));
  if (store?.order.value?.status === "delivered") Object.assign(early, await import("./after.js"));
  return html`<${Page} boot=${boot} store=${store} />`;
});

/** Ends messages to an address: asks first, since programs that check mail follow links. @param {{boot: import("../start.js").Boot}} props */
const OptOut = ({ boot }) =>
  boot.opt_out === "done"
    ? html`<${Alone} boot=${boot} icon="check" title=${t("opted_out.title")} text=${t("opted_out.text")} />`
    : html`<${Alone} boot=${boot} icon="bell" title=${t("opt_out.title")} text=${t("opt_out.text")} action=${html`<form method="post"><${Button} kind="main" type="submit">${t("opt_out.do")}<//></form>`} />`;

/** @param {{boot: import("../start.js").Boot, store?: import("./store.js").Store}} props */
function Page({ boot, store }) {
  const state = store?.state.value ?? "gone";
  const order = store?.order.value;
  if (state === "gone" || !store) return html`<${Alone} boot=${boot} icon="pin" title=${t("gone.title")} text=${t("gone.text")} />`;
  if (state === "trouble") return html`<${Alone} boot=${boot} icon="offline" title=${t("trouble.title")} text=${t("trouble.text")} />`;
  if (!order) return html`<${Bones} boot=${boot} />`;
  return html`<${Order} boot=${boot} store=${store} order=${order} />`;
}

/** @param {{boot: import("../start.js").Boot, store: import("./store.js").Store, order: import("./story.js").Order}} props */
function Order({ boot, store, order }) {
  const told = story({ order, courier: store.courier.value, eta: store.eta.value, near: store.near.value, city: cityOf(order), now: store.now.value });
  useLayoutEffect(() => {
    document.title = [told.headline, boot.brand.name].filter(Boolean).join(" · ");
  }, [told.headline]);
  const places = placesOf(store, order);
  const zone = order.timezone ?? boot.timezone;
  return html`
    <div class=${`page ${places.pins.length ? "" : "mapless"}`}>
      ${places.pins.length > 0 && html`<${Place} boot=${boot} places=${places} />`}
      <main class="sheet" tabindex="0">
        <${Brand} brand=${boot.brand} />
        <${Head} store=${store} order=${order} told=${told} zone=${zone} />
        ${order.status === "delivered" && html`<${After} part="Rating" store=${store} order=${order} />`}
        <${Bringer} store=${store} order=${order} zone=${zone} />
        <${Note} store=${store} order=${order} />
        <${Items} order=${order} />
        ${store.reachable && html`<${Later} load=${() => import("./messages.js")} part="Messages" store=${store} order=${order} />`}
        <${History} store=${store} order=${order} zone=${zone} />
        ${order.status === "delivered" && html`<${After} part="Proof" store=${store} order=${order} />`}
        <p class="foot tiny quiet">${t("page.order", { number: order.number })}</p>
      </main>
      <${Toasts} />
    </div>
  `;
}

/** What comes after the delivery. @param {Record<string, any>} props */
const After = props => html`<${Later} load=${() => import("./after.js")} ...${props} />`;

/** Where the parcel was scanned last. @param {import("./story.js").Order} order */
const cityOf = order => order.shipment?.events?.findLast(e => e.city)?.city;
