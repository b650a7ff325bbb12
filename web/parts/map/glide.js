// Animation of a pin between two fixes. Pure.

/** @typedef {{lat: number, lon: number}} Point */
/** @typedef {{from: Point, to: Point, start: number, took: number}} Glide start and took in milliseconds of the page's clock */

/** The longest animated move, in time. */
export const LONGEST = 5000;

/**
 * The pin's position now; it arrives when the time is up, never later.
 * @param {Glide} glide @param {number} now @returns {Point}
 */
export function at({ from, to, start, took }, now) {
  const f = took > 0 ? Math.min(1, Math.max(0, (now - start) / took)) : 1;
  return f === 1 ? to : { lat: from.lat + (to.lat - from.lat) * f, lon: from.lon + (to.lon - from.lon) * f };
}

/**
 * The animation to a new fix; it takes the time between the last two fixes.
 * @param {Glide | undefined} was @param {Point} to @param {number} between milliseconds between the fixes
 * @param {number} now @param {boolean} still whether to jump instead
 * @returns {Glide}
 */
export function towards(was, to, between, now, still) {
  if (!was || still) return { from: to, to, start: now, took: 0 };
  return { from: at(was, now), to, start: now, took: Math.min(LONGEST, Math.max(0, between)) };
}

/** Google's polyline format, precision 5. @param {string} text @returns {[number, number][]} */
export function decode(text) {
  /** @type {[number, number][]} */
  const points = [];
  const sum = [0, 0];
  for (let i = 0; i < text.length; ) {
    for (const axis of [0, 1]) {
      let bits = 0;
      let shift = 0;
      let byte = 0x20;
      while (byte >= 0x20 && i < text.length) {
        byte = text.charCodeAt(i++) - 63;
        bits |= (byte & 0x1f) << shift;
        shift += 5;
      }
      sum[axis] += bits & 1 ? ~(bits >> 1) : bits >> 1;
    }
    points.push([sum[0] / 1e5, sum[1] / 1e5]);
  }
  return points;
}

/** Metres between two points. @param {Point} a @param {Point} b */
export function metres(a, b) {
  const rad = Math.PI / 180;
  const x = (b.lon - a.lon) * rad * Math.cos(((a.lat + b.lat) / 2) * rad);
  return 6_371_000 * Math.hypot(x, (b.lat - a.lat) * rad);
}

/** The longest round distance of at most the given metres: 1, 2 or 5 times a power of ten. @param {number} limit */
export function round(limit) {
  const power = 10 ** Math.floor(Math.log10(limit));
  return [5, 2, 1].map(n => n * power).find(n => n <= limit) ?? power;
}
