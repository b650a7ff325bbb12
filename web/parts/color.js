// An operator's accent, darkened (or, at night, lightened) until it can be read.

/** @typedef {[number, number, number]} Triple */

/** @param {string} hex "#rrggbb" @returns {Triple} linear light, 0 to 1 */
export function linear(hex) {
  const n = Number.parseInt(hex.slice(1), 16);
  return /** @type {Triple} */ ([n >> 16, (n >> 8) & 255, n & 255].map(v => (v / 255 <= 0.04045 ? v / 255 / 12.92 : ((v / 255 + 0.055) / 1.055) ** 2.4)));
}

/** Linear light to OKLab, by its author's matrices. @param {Triple} rgb @returns {Triple} */
function toLab([r, g, b]) {
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return [
    0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s,
    1.9779984951 * l - 2.428592205 * m + 0.4505937099 * s,
    0.0259040371 * l + 0.7827717662 * m - 0.808675766 * s,
  ];
}

/** @param {Triple} lab @returns {Triple} linear light, cut to what a screen shows */
function fromLab([L, a, b]) {
  const l = (L + 0.3963377774 * a + 0.2158037573 * b) ** 3;
  const m = (L - 0.1055613458 * a - 0.0638541728 * b) ** 3;
  const s = (L - 0.0894841775 * a - 1.291485548 * b) ** 3;
  const rgb = [
    4.0767416621 * l - 3.3077115913 * m + 0.2309699292 * s,
    -1.2684380046 * l + 2.6097574011 * m - 0.3413193965 * s,
    -0.0041960863 * l - 0.7034186147 * m + 1.707614701 * s,
  ];
  return /** @type {Triple} */ (rgb.map(v => Math.min(1, Math.max(0, v))));
}

/** @param {Triple} rgb */
const luminance = ([r, g, b]) => 0.2126 * r + 0.7152 * g + 0.0722 * b;

/** WCAG's contrast, 1 to 21. @param {Triple} a @param {Triple} b */
export function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/** @param {Triple} rgb */
const css = rgb =>
  `#${rgb
    .map(v =>
      Math.round(255 * (v <= 0.0031308 ? 12.92 * v : 1.055 * v ** (1 / 2.4) - 0.055))
        .toString(16)
        .padStart(2, "0"),
    )
    .join("")}`;

// The minimum contrast of text.
const LEAST = 4.6;

/**
 * The colour for both themes; undefined if it is invalid.
 * @param {string} hex "#rrggbb"
 * @param {{light: string, dark: string}} grounds what it is read on: --accent-ground-light and -dark of tokens.css
 * @returns {{light: string, dark: string} | undefined}
 */
export function accents(hex, grounds) {
  if (!/^#[0-9a-f]{6}$/i.test(hex)) return undefined;
  const [L, a, b] = toLab(linear(hex));
  const [day, night] = [linear(grounds.light), linear(grounds.dark)];
  let light = L;
  let dark = L;
  while (light > 0 && contrast(fromLab([light, a, b]), day) < LEAST) light -= 0.01;
  while (dark < 1 && contrast(fromLab([dark, a, b]), night) < LEAST) dark += 0.01;
  return { light: css(fromLab([light, a, b])), dark: css(fromLab([dark, a, b])) };
}
