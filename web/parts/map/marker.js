import { Icon, Marker } from "../../vendor/leaflet.js";
import { at, metres, towards } from "./glide.js";

/**
 * A pin on a map.
 * @typedef {object} Pin
 * @property {string} id
 * @property {number} lat
 * @property {number} lon
 * @property {"courier"|"home"|"shop"|"office"|"stop"} kind
 * @property {string} label   text for screen readers
 * @property {string} [sign]  icon of icons.svg; by default by kind
 * @property {number} [heading] degrees clockwise from north
 * @property {number} [seen]  time of the position, milliseconds; of moving pins
 * @property {boolean} [stale]
 */

const signs = { courier: "bicycle", home: "home", shop: "shop", office: "office", stop: "pin" };
const still = matchMedia("(prefers-reduced-motion: reduce)");

/** Leaflet's own icons are markup; this one is an element. */
const ElementIcon = Icon.extend({
  createIcon() {
    return this.options.element;
  },
  createShadow() {
    return null;
  },
});

/** A pin on a map; it glides from fix to fix. */
export class MapPin {
  /** @param {import("leaflet").Map} map @param {Pin} pin */
  constructor(map, pin) {
    this.map = map;
    this.element = build(pin);
    this.icon = new /** @type {any} */ (ElementIcon)({ element: this.element, iconUrl: "-" });
    this.marker = new Marker([pin.lat, pin.lon], { icon: this.icon, keyboard: false, interactive: false, zIndexOffset: pin.kind === "courier" ? 1000 : 0 });
    this.marker.addTo(map);
    this.frame = 0;
    this.glide = towards(undefined, pin, 0, performance.now(), true);
    this.dress(pin);
    this.pin = pin;
  }

  /** @param {Pin} pin */
  update(pin) {
    const was = this.pin;
    this.pin = pin;
    this.dress(pin);
    if (was.lat === pin.lat && was.lon === pin.lon) return;
    const between = pin.seen && was.seen ? pin.seen - was.seen : 0;
    this.glide = towards(this.glide, pin, between, performance.now(), still.matches || document.hidden);
    cancelAnimationFrame(this.frame);
    this.step();
  }

  step() {
    const now = performance.now();
    const { lat, lon } = at(this.glide, now);
    // Leaflet moves markers itself while it zooms.
    if (!(/** @type {any} */ (this.map)._animatingZoom)) this.marker.setLatLng([lat, lon]);
    if (now < this.glide.start + this.glide.took) this.frame = requestAnimationFrame(() => this.step());
    else this.marker.setLatLng([lat, lon]);
  }

  /** @param {Pin} pin */
  dress(pin) {
    this.element.setAttribute("aria-label", pin.label);
    this.element.classList.toggle("stale", Boolean(pin.stale));
    const turned = pin.heading !== undefined && !pin.stale && (!this.pin || metres(this.pin, pin) > 0);
    if (turned || pin.heading === undefined) this.element.classList.toggle("headed", turned);
    if (turned) this.element.style.setProperty("--heading", `${pin.heading}deg`);
    this.element.querySelector("use")?.setAttribute("href", `#i-${pin.sign ?? signs[pin.kind]}`);
  }

  remove() {
    cancelAnimationFrame(this.frame);
    this.marker.remove();
  }
}

/** @param {Pin} pin */
function build(pin) {
  const svgNames = "http://www.w3.org/2000/svg";
  const element = document.createElement("div");
  element.className = `pin ${pin.kind}`;
  element.setAttribute("role", "img");
  const body = element.appendChild(document.createElement("div"));
  body.className = "pin-body";
  const svg = body.appendChild(document.createElementNS(svgNames, "svg"));
  svg.setAttribute("class", "icon");
  svg.setAttribute("aria-hidden", "true");
  svg.append(document.createElementNS(svgNames, "use"));
  return element;
}
