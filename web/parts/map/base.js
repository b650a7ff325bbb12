import { TileLayer } from "../../vendor/leaflet.js";

/** @typedef {{pmtiles?: string, tiles?: string, attribution?: string}} Base what the ground of a map is made of */

const OSM = { text: "© OpenStreetMap", href: "https://www.openstreetmap.org/copyright" };

/** Who has to be named on the map. @param {Base} base @returns {{text: string, href?: string}[]} */
export function creditsOf(base) {
  if (base.attribution) return [{ text: base.attribution }];
  return base.pmtiles || base.tiles ? [OSM] : [];
}

/**
 * Lays the ground: the city's file, tiles, or none. What lays it can take it up again.
 * @param {import("leaflet").Map} map @param {Base} base
 * @returns {Promise<() => void>}
 */
export async function addBase(map, base) {
  if (base.pmtiles) return (await import("./ground.js")).addGround(map, base.pmtiles);
  if (!base.tiles) return () => {};
  // Tile servers want to know which site asks, and must not know which page.
  const layer = new TileLayer(base.tiles, { maxZoom: 20, maxNativeZoom: 19, referrerPolicy: "strict-origin", className: "tiles" });
  layer.addTo(map);
  return () => layer.remove();
}
