import { TileLayer } from "../../vendor/leaflet.js";

/** @typedef {{pmtiles?: string, tiles?: string, attribution?: string}} Base the source of the base map */

const OSM = { text: "© OpenStreetMap", href: "https://www.openstreetmap.org/copyright" };

/** The map's attributions. @param {Base} base @returns {{text: string, href?: string}[]} */
export function creditsOf(base) {
  if (base.attribution) return [{ text: base.attribution }];
  return base.pmtiles || base.tiles ? [OSM] : [];
}

/**
 * Adds the base map: the city's file, tiles, or none. Returns a function that removes it.
 * @param {import("leaflet").Map} map @param {Base} base
 * @returns {Promise<() => void>}
 */
export async function addBase(map, base) {
  if (base.pmtiles) return (await import("./ground.js")).addGround(map, base.pmtiles);
  if (!base.tiles) return () => {};
  // Tile servers require the site's origin and must not see the page's address.
  const layer = new TileLayer(base.tiles, { maxZoom: 20, maxNativeZoom: 19, referrerPolicy: "strict-origin", className: "tiles" });
  layer.addTo(map);
  return () => layer.remove();
}
