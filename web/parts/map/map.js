import { t } from "../../i18n/index.js";
import { html, useEffect, useLayoutEffect, useRef, useState } from "../../vendor/preact.js";
import { Button } from "../button.js";
import { droppable } from "../drag.js";
import { creditsOf } from "./base.js";
import { Scale } from "./scale.js";
import { View } from "./view.js";

/**
 * @typedef {object} Props
 * @property {string} label
 * @property {import("./marker.js").Pin[]} pins
 * @property {[number, number][]} [trail]  the travelled route: latitude and longitude
 * @property {[number, number][]} [ahead]  a line to the destination
 * @property {import("./base.js").Base} base
 * @property {[number, number][][]} [ghosts] lines of what is only proposed
 * @property {{top?: number, right?: number, bottom?: number, left?: number}} [inset] margins covered by other elements, pixels
 * @property {boolean} [steady] fit the pins once and don't follow them
 * @property {(at: {lat: number, lon: number}) => void} [onTap]
 * @property {(data: string, courier: string) => void} [onDrop] dragged rows were dropped on a courier
 */

/** A map that keeps its pins in view until the user moves it. @param {Props} props */
export function MapView({ label, pins, trail = [], ahead = [], ghosts = [], base, inset = {}, steady = false, onTap, onDrop }) {
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
  const under = (/** @type {DragEvent} */ e) => view.current?.courierAt(e.clientX, e.clientY);
  const drop =
    onDrop &&
    droppable(
      (data, e) => onDrop(data, under(e) ?? ""),
      e => Boolean(under(e)),
    );
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
