// The operator's city from a PMTiles file in Protomaps' schema, drawn in the colours of
// tokens.css, so that it has a dark style too.
import { lang } from "../../i18n/index.js";
import {
  CenteredTextSymbolizer,
  LineLabelSymbolizer,
  LineSymbolizer,
  leafletLayer,
  OffsetTextSymbolizer,
  PMTiles,
  PolygonSymbolizer,
} from "../../vendor/protomaps.js";

/** A file whose unreadable tiles are left blank, so that the rest of the page works. */
class City extends PMTiles {
  /** @param {number} z @param {number} x @param {number} y @param {AbortSignal} [signal] */
  async getZxy(z, x, y, signal) {
    try {
      return await super.getZxy(z, x, y, signal);
    } catch (error) {
      if (signal?.aborted) throw error;
      return undefined;
    }
  }
}

/**
 * @param {import("leaflet").Map} map @param {string} url
 * @returns {Promise<() => void>}
 */
export async function addGround(map, url) {
  const file = new City(new URL(url, location.href).href);
  const header = await file.getHeader().catch(() => undefined);
  if (!header) return () => {};
  const theme = matchMedia("(prefers-color-scheme: dark)");
  /** @type {any} */
  let layer;
  const lay = () => {
    layer?.remove();
    const color = reader(map.getContainer());
    layer = leafletLayer(
      /** @type {any} */ ({
        url: /** @type {any} */ (file),
        maxDataZoom: header.maxZoom,
        paintRules: paint(color),
        labelRules: labels(color),
        backgroundColor: color("earth"),
        maxZoom: 20,
        attribution: "",
        keepBuffer: 1,
        lang,
      }),
    );
    layer.addTo(map);
  };
  lay();
  theme.addEventListener("change", lay);
  return () => {
    theme.removeEventListener("change", lay);
    layer.remove();
  };
}

/** Reads the theme's colours. @param {HTMLElement} box @returns {(name: string) => string} */
function reader(box) {
  const probe = box.appendChild(document.createElement("span"));
  /** @type {Record<string, string>} */
  const found = {};
  for (const name of ["earth", "green", "built", "water", "road", "road-2", "rail", "text", "halo"]) {
    probe.style.color = `var(--map-${name})`;
    found[name] = getComputedStyle(probe).color;
  }
  probe.remove();
  return name => found[name];
}

/** Widths that grow with the zoom: at 12 and at 18. @param {number} low @param {number} high */
const grows = (low, high) => (/** @type {number} */ z) => low * (high / low) ** (Math.min(6, Math.max(0, z - 12)) / 6);

/** @param {...string} kinds */
const kind =
  (...kinds) =>
  (/** @type {number} */ _, /** @type {any} */ feature) =>
    kinds.includes(feature.props.kind);

const GREEN = [
  "park",
  "forest",
  "wood",
  "grass",
  "grassland",
  "meadow",
  "garden",
  "cemetery",
  "recreation_ground",
  "nature_reserve",
  "village_green",
  "scrub",
  "golf_course",
  "pitch",
  "playground",
  "allotments",
  "farmland",
  "orchard",
];

/** @param {(name: string) => string} color @returns {any[]} */
function paint(color) {
  const area = (/** @type {string} */ dataLayer, /** @type {string} */ name, /** @type {any} */ filter) => ({
    dataLayer,
    filter,
    symbolizer: new PolygonSymbolizer({ fill: color(name) }),
  });
  const line = (/** @type {string} */ name, /** @type {any} */ width, /** @type {any} */ filter, /** @type {any} */ more = {}) => ({
    dataLayer: "roads",
    filter,
    symbolizer: new LineSymbolizer({ color: color(name), width, lineCap: "round", lineJoin: "round", ...more.line }),
    minzoom: more.minzoom,
  });
  return [
    area("earth", "earth", undefined),
    area("landuse", "green", kind(...GREEN)),
    area("landcover", "green", kind("forest", "grassland", "farmland", "scrub")),
    area("landuse", "built", kind("industrial", "hospital", "school", "university", "college", "railway", "commercial", "pedestrian", "aerodrome")),
    area("water", "water", (/** @type {number} */ _, /** @type {any} */ f) => f.geomType === 3),
    {
      dataLayer: "water",
      minzoom: 13,
      filter: (/** @type {number} */ _, /** @type {any} */ f) => f.geomType === 2,
      symbolizer: new LineSymbolizer({ color: color("water"), width: grows(1, 4) }),
    },
    { ...area("buildings", "built", undefined), minzoom: 14 },
    line("rail", grows(0.6, 2), kind("rail"), { minzoom: 11 }),
    line("road-2", grows(1.6, 6), kind("path", "other"), { minzoom: 15 }),
    line("road-2", grows(1.4, 16), kind("minor_road"), { minzoom: 13 }),
    line("road-2", grows(2.4, 23), kind("major_road", "medium_road")),
    line("road-2", grows(3.4, 28), kind("highway")),
    line("road", grows(1, 4), kind("path", "other"), { minzoom: 15 }),
    line("road", grows(0.8, 14), kind("minor_road"), { minzoom: 12 }),
    line("road", grows(1.6, 20), kind("major_road", "medium_road")),
    line("road", grows(2.4, 24), kind("highway")),
  ];
}

/** @param {(name: string) => string} color @returns {any[]} */
function labels(color) {
  const text = { fill: color("text"), stroke: color("halo"), width: 3, labelProps: [`name:${lang}`, "name"] };
  const font = (/** @type {number} */ size, weight = 400) => ({ fontFamily: "system-ui, sans-serif", fontSize: size, fontWeight: weight });
  return [
    {
      dataLayer: "places",
      filter: kind("neighbourhood", "macrohood", "suburb", "quarter"),
      minzoom: 12,
      symbolizer: new CenteredTextSymbolizer({ ...text, ...font(13, 600) }),
    },
    { dataLayer: "places", filter: kind("locality"), symbolizer: new CenteredTextSymbolizer({ ...text, ...font(15, 600) }) },
    { dataLayer: "roads", filter: kind("major_road", "medium_road", "highway"), minzoom: 14, symbolizer: new LineLabelSymbolizer({ ...text, ...font(12) }) },
    { dataLayer: "roads", filter: kind("minor_road"), minzoom: 15, symbolizer: new LineLabelSymbolizer({ ...text, ...font(12) }) },
    {
      dataLayer: "water",
      filter: (/** @type {number} */ _, /** @type {any} */ f) => f.geomType === 1,
      symbolizer: new OffsetTextSymbolizer({ ...text, ...font(12) }),
    },
  ];
}
