import { t } from "../i18n/index.js";
import { Later } from "../parts/later.js";
import { ended, inCustody } from "../parts/status.js";
import { html, useEffect, useState } from "../vendor/preact.js";

/** @typedef {{pins: import("../parts/map/marker.js").Pin[], trail: [number, number][], ahead: [number, number][]}} Places */

/**
 * The order's pins on the map: the shop and the customer; on the way, the courier and
 * the customer.
 * @param {import("./store.js").Store} store @param {import("./story.js").Order} order @returns {Places}
 */
export function placesOf(store, order) {
  const home = order.shipment?.pickup?.location ?? order.dropoff.location;
  const shop = order.pickup?.location;
  const position = inCustody(order.status) ? store.position.value : undefined;
  /** @type {Places["pins"]} */
  const pins = [];
  if (home) pins.push({ id: "home", kind: order.status === "ready_for_pickup" ? "office" : "home", ...home, label: t("map.home") });
  if (shop && !position && !(order.status === "delivered" && home)) pins.push({ id: "shop", kind: "shop", ...shop, label: t("map.shop") });
  if (position) {
    const { lat, lon, heading, speed } = position;
    pins.push({
      id: "courier",
      kind: "courier",
      lat,
      lon,
      heading: (speed ?? 0) > 0.5 ? heading : undefined,
      sign: store.courier.value?.vehicle,
      seen: Date.parse(position.recorded_at ?? ""),
      stale: position.stale || store.offline,
      label: t("map.courier"),
    });
  }
  const from = position ?? (ended(order.status) ? undefined : shop);
  return { pins, trail: position ? store.trail.value : [], ahead: from && home ? [at(from), at(home)] : [] };
}

/** @param {{lat: number, lon: number}} point @returns {[number, number]} */
const at = ({ lat, lon }) => [lat, lon];

const wide = matchMedia("(min-width: 900px)");

/** The map beside the sheet, or above it on a phone. @param {{boot: import("../start.js").Boot, places: Places}} props */
export function Place({ boot, places }) {
  const [side, setSide] = useState(wide.matches);
  useEffect(() => {
    const change = () => setSide(wide.matches);
    wide.addEventListener("change", change);
    return () => wide.removeEventListener("change", change);
  }, []);
  const bare = !boot.map.pmtiles && !boot.map.tiles;
  const inset = side ? { left: 452 } : { bottom: 20 };
  return html`
    <div class="place">
      <${Later} load=${() => import("../parts/map/map.js")} part="MapView" label=${t("map.title")} pins=${places.pins} trail=${places.trail} ahead=${bare ? places.ahead : []} base=${boot.map} inset=${inset} />
    </div>
  `;
}
