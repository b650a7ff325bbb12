import { metres } from "../parts/map/glide.js";

const NEAR = 60; // metres within which somebody stands
const LONG = 3 * 60_000; // milliseconds that make a stop

/**
 * Where somebody stood still for some minutes; pure.
 * @param {{lat: number, lon: number, recorded_at: string}[]} fixes in the order of time
 * @returns {{from: number, start: number, end: number}[]} from is the index of the first fix there
 */
export function stopsOf(fixes) {
  const found = [];
  for (let from = 0; from < fixes.length; ) {
    let to = from;
    while (to + 1 < fixes.length && metres(fixes[from], fixes[to + 1]) <= NEAR) to++;
    const [start, end] = [Date.parse(fixes[from].recorded_at), Date.parse(fixes[to].recorded_at)];
    const stood = end - start >= LONG;
    if (stood) found.push({ from, start, end });
    from = stood ? to + 1 : from + 1;
  }
  return found;
}
