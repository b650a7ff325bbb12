import { DomUtil } from "../../vendor/leaflet.js";

const DOT = 13; // pixels across
const EDGE = 1.5; // pixels of the ring around a dot

/**
 * Very many pins as one canvas: small sprites are copied into the pixels of one image a frame, which
 * without a GPU is several times faster than drawing them one by one.
 */
export class Crowd {
  /** @param {import("leaflet").Map} map */
  constructor(map) {
    this.map = map;
    /** @type {import("./marker.js").Pin[]} */
    this.pins = [];
    this.canvas = document.createElement("canvas");
    this.canvas.className = "crowd";
    map.createPane("crowd").append(this.canvas);
    this.context = /** @type {CanvasRenderingContext2D} */ (this.canvas.getContext("2d"));
    this.frame = 0;
    /** @type {{courier: Uint32Array, stale: Uint32Array, other: Uint32Array} | undefined} */
    this.sprites = undefined;
    this.later = () => {
      this.frame ||= requestAnimationFrame(() => this.draw());
    };
    this.hide = () => {
      this.canvas.hidden = true; // while Leaflet scales the map
    };
    map.on("move moveend resize viewreset zoomend", this.later);
    map.on("zoomanim", this.hide);
    this.theme = matchMedia("(prefers-color-scheme: dark)");
    this.repaint = () => {
      this.sprites = undefined;
      this.later();
    };
    this.theme.addEventListener("change", this.repaint);
  }

  /** @param {import("./marker.js").Pin[]} pins */
  show(pins) {
    if (!pins.length && !this.pins.length) return;
    this.pins = pins;
    this.later();
  }

  draw() {
    this.frame = 0;
    const size = this.map.getSize();
    const { x: width, y: height } = size;
    this.canvas.hidden = false;
    if (this.canvas.width !== width || this.canvas.height !== height || !this.image) {
      Object.assign(this.canvas, { width, height });
      this.image = this.context.createImageData(Math.max(1, width), Math.max(1, height));
      this.pixels = new Uint32Array(this.image.data.buffer);
    }
    const pixels = /** @type {Uint32Array} */ (this.pixels);
    pixels.fill(0);
    this.sprites ??= { courier: this.paint("courier"), stale: this.paint("stale"), other: this.paint("other") };
    const { courier, stale, other } = this.sprites;
    const origin = this.map.getPixelOrigin();
    const corner = this.map.containerPointToLayerPoint([0, 0]);
    const world = 256 * 2 ** this.map.getZoom();
    const [left, top] = [origin.x + corner.x + DOT / 2, origin.y + corner.y + DOT / 2];
    for (const pin of this.pins) {
      const sine = Math.sin((pin.lat * Math.PI) / 180); // spherical Mercator, EPSG:3857
      const x = Math.round((pin.lon / 360 + 0.5) * world - left);
      const y = Math.round((0.5 - Math.log((1 + sine) / (1 - sine)) / (4 * Math.PI)) * world - top);
      if (x < 0 || y < 0 || x + DOT > width || y + DOT > height) continue;
      const sprite = pin.kind !== "courier" ? other : pin.stale ? stale : courier;
      for (let row = 0, i = 0, at = y * width + x; row < DOT; row++, at += width) {
        for (let column = 0; column < DOT; column++, i++) if (sprite[i]) pixels[at + column] = sprite[i];
      }
    }
    this.context.putImageData(/** @type {ImageData} */ (this.image), 0, 0);
    DomUtil.setPosition(this.canvas, corner);
  }

  /** A dot in the page's colours, as pixels. @param {string} kind */
  paint(kind) {
    const model = document.createElement("i");
    model.className = `crowd-dot ${kind}`;
    this.map.getContainer().append(model);
    const { color, backgroundColor } = getComputedStyle(model);
    model.remove();
    const context = /** @type {OffscreenCanvasRenderingContext2D} */ (new OffscreenCanvas(DOT, DOT).getContext("2d"));
    for (const [radius, fill] of /** @type {const} */ ([
      [DOT / 2, backgroundColor],
      [DOT / 2 - EDGE, color],
    ])) {
      context.beginPath();
      context.arc(DOT / 2, DOT / 2, radius, 0, 2 * Math.PI);
      context.fillStyle = fill;
      context.fill();
    }
    return new Uint32Array(context.getImageData(0, 0, DOT, DOT).data.buffer);
  }

  remove() {
    cancelAnimationFrame(this.frame);
    this.theme.removeEventListener("change", this.repaint);
    this.map.off("move moveend resize viewreset zoomend", this.later);
    this.canvas.remove();
  }
}
