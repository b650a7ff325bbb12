// The customer's page: one order, by its link.
import { t } from "../i18n/index.js";
import { Later } from "../parts/later.js";
import { Toasts } from "../parts/toast.js";
import { start } from "../start.js";
import { html, useLayoutEffect } from "../vendor/preact.js";
import { Bringer } from "./bringer.js";
import { Note } from "./note.js";
import { Place, placesOf } from "./place.js";
import { Alone, Bones, Brand, Head, History, Items } from "./sections.js";
import { Store } from "./store.js";
import { story } from "./story.js";

start(boot => {
  const store = boot.order_id ? new Store(boot) : undefined;
  store?.start();
  return html`<${Page} boot=${boot} store=${store} />`;
});

/** @param {{boot: import("../start.js").Boot, store?: import("./store.js").Store}} props */
function Page({ boot, store }) {
  const state = store?.state.value ?? "gone";
  const order = store?.order.value;
  useLayoutEffect(() => {
    if (state === "gone") document.title = t("gone.title");
  }, [state]);
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
        ${order.status === "delivered" && html`<${Later} load=${() => import("./after.js")} part="After" store=${store} order=${order} />`}
        <${Bringer} store=${store} order=${order} zone=${zone} />
        <${Note} store=${store} order=${order} />
        <${Items} order=${order} />
        <${History} store=${store} order=${order} zone=${zone} />
        <p class="foot tiny quiet">${t("page.order", { number: order.number })}</p>
      </main>
      <${Toasts} />
    </div>
  `;
}

/** Where the parcel was scanned last. @param {import("./story.js").Order} order */
const cityOf = order => order.shipment?.events?.findLast(e => e.city)?.city;
