import { t } from "../../i18n/index.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../../vendor/preact.js";
import { Button } from "../button.js";
import { round } from "./glide.js";
import { creditsOf, View } from "./view.js";

const LONGEST = 90; // pixels of the scale bar

/**
 * @typedef {object} Props
 * @property {string} label
 * @property {import("./marker.js").Pin[]} pins
 * @property {[number, number][]} [trail]  the travelled route: latitude and longitude
 * @property {[number, number][]} [ahead]  a line to the destination
 * @property {import("./view.js").Base} base
 * @property {[number, number][][]} [ghosts] lines of what is only proposed
 * @property {{top?: number, right?: number, bottom?: number, left?: number}} [inset] margins covered by other elements, pixels
 * @property {boolean} [steady] fit the pins once and don't follow them
 * @property {(at: {lat: number, lon: number}) => void} [onTap]
 * @property {(courierAt: (e: DragEvent) => string | undefined) => object} [dropping] makes the handlers of what is dragged onto a courier
 */

/** A map that keeps its pins in view until the user moves it. @param {Props} props */
export function MapView({ label, pins, trail = [], ahead = [], ghosts = [], base, inset = {}, steady = false, onTap, dropping }) {
  const box = useRef(/** @type {HTMLElement | null} */ (null));
  const view = useRef(/** @type {View | null} */ (null));
  const [map, setMap] = useState(/** @type {import("leaflet").Map | undefined} */ (undefined));
  const [moved, setMoved] = useState(false);
  useLayoutEffect(() => {
    const made = new View(/** @type {HTMLElement} */ (box.current), base, setMoved);
    view.current = made;
    setMap(made.map);
    return () => made.remove();
  }, []);
  const { top = 0, right = 0, bottom = 0, left = 0 } = inset;
  useEffect(() => {
    const shown = /** @type {View} */ (view.current);
    shown.tapped = onTap;
    shown.steady = steady;
    shown.show(pins, trail, ahead, { top, right, bottom, left });
    shown.ghosts.setLatLngs(ghosts);
  });
  const drop = dropping?.(e => view.current?.courierAt(e.clientX, e.clientY));
  return html`
    <section ...${drop} class=${`map ${base.pmtiles || base.tiles ? "" : "bare"}`} aria-label=${label}
      style=${{ "--inset-top": `${top}px`, "--inset-right": `${right}px`, "--inset-bottom": `${bottom}px`, "--inset-left": `${left}px` }}>
      <div class="map-ground" ref=${box}></div>
      <div class="map-tools">
        ${moved && html`<${Button} icon="locate" label=${t("map.center")} onClick=${() => view.current?.follow()} />`}
        <div class="map-zoom">
          <${Button} icon="plus" label=${t("map.in")} onClick=${() => view.current?.zoom(1)} />
          <${Button} icon="minus" label=${t("map.out")} onClick=${() => view.current?.zoom(-1)} />
        </div>
      </div>
      <div class="map-foot tiny">
        ${map && html`<${Scale} map=${map} />`}
        ${creditsOf(base).map(c => (c.href ? html`<a href=${c.href} target="_blank" rel="noopener noreferrer">${c.text}</a>` : html`<span>${c.text}</span>`))}
      </div>
    </section>
  `;
}

/** The map's scale bar. @param {{map: import("leaflet").Map}} props */
function Scale({ map }) {
  const [scale, setScale] = useState({ metres: 0, pixels: 0 });
  useEffect(() => {
    const measure = () => {
      const y = map.getSize().y / 2;
      const wide = map.distance(map.containerPointToLatLng([0, y]), map.containerPointToLatLng([LONGEST, y]));
      if (!wide) return;
      const metres = round(wide);
      setScale({ metres, pixels: Math.round((LONGEST * metres) / wide) });
    };
    measure();
    map.on("zoomend resize moveend", measure);
    return () => {
      map.off("zoomend resize moveend", measure);
    };
  }, [map]);
  if (!scale.metres) return null;
  const text = scale.metres < 1000 ? t("map.metres", { n: scale.metres }) : t("map.kilometres", { n: scale.metres / 1000 });
  return html`<span class="scale num" style=${{ inlineSize: `${scale.pixels}px` }}>${text}</span>`;
}
