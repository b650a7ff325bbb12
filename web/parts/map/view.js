import { LatLng, LatLngBounds, Map as LeafletMap, Point, Polyline, TileLayer } from "../../vendor/leaflet.js";
import { MapPin } from "./marker.js";

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

const CLOSEST = 16;
const KEYS = /^(Arrow.*|[-+=])$/; // that move the map
const EDGE = 56; // pixels between a pin and the edge, less on small maps
const REACH = 24; // pixels around a courier
const MANY = 200; // pins; more are drawn as one layer

/** The Leaflet part of a map. */
export class View {
  /** @param {HTMLElement} box @param {Base} base @param {(moved: boolean) => void} moved */
  constructor(box, base, moved) {
    this.map = new LeafletMap(box, { zoomControl: false, attributionControl: false, zoomSnap: 0.5, maxZoom: 19, worldCopyJump: true });
    this.map.setView([20, 0], 2);
    this.still = matchMedia("(prefers-reduced-motion: reduce)");
    /** @type {Map<string, MapPin>} */
    this.pins = new Map();
    this.following = true;
    this.fitted = false;
    this.steady = false;
    /** @type {import("./marker.js").Pin[]} */
    this.many = [];
    this.moved = moved;
    /** @type {((at: {lat: number, lon: number}) => void) | undefined} */
    this.tapped = undefined;
    this.inset = { top: 0, right: 0, bottom: 0, left: 0 };
    const style = { smoothFactor: 1, interactive: false };
    this.trail = new Polyline([], { ...style, className: "trail" }).addTo(this.map);
    this.ahead = new Polyline([], { ...style, className: "ahead" }).addTo(this.map);
    this.ghosts = new Polyline([], { ...style, className: "ahead ghost" }).addTo(this.map);
    /** @type {import("./crowd.js").Crowd | undefined} */
    this.crowd = undefined;
    box.addEventListener("wheel", () => this.left(), { passive: true });
    box.addEventListener("keydown", e => KEYS.test(e.key) && this.left());
    this.map.on("dragstart", () => this.left());
    this.map.on("click", e => this.tapped?.({ lat: Number(e.latlng.lat.toFixed(6)), lon: Number(e.latlng.wrap().lng.toFixed(6)) }));
    this.resized = new ResizeObserver(() => {
      this.map.invalidateSize({ animate: false });
      if (this.following) this.fit(false);
    });
    this.resized.observe(box);
    this.gone = false;
    this.lift = () => {};
    addBase(this.map, base).then(lift => {
      this.lift = lift;
      if (this.gone) lift();
    });
  }

  left() {
    this.following = false;
    this.moved(true);
  }

  follow() {
    this.following = true;
    this.moved(false);
    this.fit(true);
  }

  /** @param {number} by */
  zoom(by) {
    this.left();
    this.map.setZoom(this.map.getZoom() + by);
  }

  /**
   * @param {import("./marker.js").Pin[]} pins @param {[number, number][]} trail @param {[number, number][]} ahead
   * @param {{top: number, right: number, bottom: number, left: number}} inset
   */
  show(pins, trail, ahead, inset) {
    const gone = new Set(this.pins.keys());
    let came = false;
    const many = pins.length > MANY;
    this.many = many ? pins : [];
    if (many || this.crowd) this.gather();
    for (const pin of many ? [] : pins) {
      gone.delete(pin.id);
      const there = this.pins.get(pin.id);
      if (there) there.update(pin);
      else this.pins.set(pin.id, new MapPin(this.map, pin));
      came ||= !there;
    }
    for (const id of gone) {
      this.pins.get(id)?.remove();
      this.pins.delete(id);
    }
    this.trail.setLatLngs(trail);
    this.ahead.setLatLngs(ahead);
    const shifted = JSON.stringify(inset) !== JSON.stringify(this.inset);
    this.inset = inset;
    if (!this.following || ((this.steady || many) && this.fitted)) return;
    if (!this.fitted) this.fit(false);
    else if (came || gone.size || shifted || this.badly()) this.fit(true);
  }

  /** Draws the many pins; the code for it is loaded when it is needed. */
  async gather() {
    const { Crowd } = await import("./crowd.js");
    if (this.gone) return;
    this.crowd ??= new Crowd(this.map);
    this.crowd.show(this.many);
  }

  points() {
    const shown = this.many.length ? this.many : [...this.pins.values()].map(({ pin }) => pin);
    return shown.map(pin => new LatLng(pin.lat, pin.lon));
  }

  /** The courier within reach of a place on the screen. @param {number} x @param {number} y */
  courierAt(x, y) {
    const box = this.map.getContainer().getBoundingClientRect();
    const shown = this.many.length ? this.many : [...this.pins.values()].map(({ pin }) => pin);
    const away = (/** @type {import("./marker.js").Pin} */ pin) => this.map.latLngToContainerPoint([pin.lat, pin.lon]).distanceTo([x - box.x, y - box.y]);
    const near = shown.filter(pin => pin.kind === "courier" && away(pin) < REACH).sort((a, b) => away(a) - away(b));
    return near[0]?.id;
  }

  edge() {
    const { x, y } = this.map.getSize();
    return Math.min(EDGE, x / 6, y / 6);
  }

  /** Whether a pin is outside the uncovered part of the map, or all are too close together. */
  badly() {
    const size = this.map.getSize();
    const { top, right, bottom, left } = this.inset;
    const points = this.points();
    const edge = this.edge() / 2;
    if (!points.length) return false;
    const out = points.some(p => {
      const { x, y } = this.map.latLngToContainerPoint(p);
      return x < left + edge || y < top + edge || x > size.x - right - edge || y > size.y - bottom - edge;
    });
    return out || this.best() - this.map.getZoom() >= 1;
  }

  padding() {
    const { top, right, bottom, left } = this.inset;
    const edge = this.edge();
    return {
      paddingTopLeft: /** @type {[number, number]} */ ([left + edge, top + edge]),
      paddingBottomRight: /** @type {[number, number]} */ ([right + edge, bottom + edge]),
    };
  }

  best() {
    const { top, right, bottom, left } = this.inset;
    const edge = 2 * this.edge();
    const taken = new Point(left + right + edge, top + bottom + edge);
    return Math.min(CLOSEST, this.map.getBoundsZoom(new LatLngBounds(this.points()), false, taken));
  }

  /** @param {boolean} animate */
  fit(animate) {
    const points = this.points();
    if (!points.length || !this.map.getSize().x) return;
    this.fitted = true;
    this.map.fitBounds(new LatLngBounds(points), { ...this.padding(), maxZoom: CLOSEST, animate: animate && !this.still.matches && !document.hidden });
  }

  remove() {
    this.gone = true;
    this.resized.disconnect();
    this.lift();
    for (const pin of this.pins.values()) pin.remove();
    this.crowd?.remove();
    this.map.remove();
  }
}
