// The look of the app that the courier chose: the language, and light or dark.
import { effect, signal } from "../vendor/preact.js";

/** What was chosen, or undefined. @param {"lang"|"theme"} what */
export function chosen(what) {
  try {
    return localStorage.getItem(what) || undefined;
  } catch {
    return undefined;
  }
}

const languages = ["en", "ru"];

/** The language: as chosen, as the address says, or the browser's; the page may be one that was kept in another. */
export const language = () =>
  chosen("lang") ?? [new URLSearchParams(location.search).get("lang") ?? "", ...navigator.languages].map(l => l.slice(0, 2)).find(l => languages.includes(l));

/** @param {"lang"|"theme"} what @param {string} value */
export function choose(what, value) {
  try {
    localStorage.setItem(what, value);
  } catch {
    // private mode: until the app is closed
  }
  if (what === "theme") wanted.value = value;
  else location.reload();
}

/** light, dark, or auto: dark as the system says, and after sunset. */
export const wanted = signal(chosen("theme") ?? "auto");

/** @param {import("./tracker.js").Tracker} tracker */
export function theme(tracker) {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const system = signal(dark.matches);
  dark.addEventListener("change", () => {
    system.value = dark.matches;
  });
  effect(() => {
    const at = tracker.last.value;
    const night = system.value || (at !== undefined && sun(at, new Date(at.recorded_at)) < -3);
    document.documentElement.style.colorScheme = wanted.value === "auto" ? (night ? "dark" : "light") : wanted.value;
  });
}

/**
 * How high the sun stands, degrees, to about one.
 * @param {{lat: number, lon: number}} place @param {Date} at
 */
export function sun({ lat, lon }, at) {
  const rad = Math.PI / 180;
  const days = at.getTime() / 86_400_000 - 10_957.5; // since noon of 1 January 2000
  const anomaly = (357.529 + 0.98560028 * days) * rad;
  const longitude = (280.459 + 0.98564736 * days + 1.915 * Math.sin(anomaly) + 0.02 * Math.sin(2 * anomaly)) * rad;
  const tilt = 23.439 * rad;
  const ascension = Math.atan2(Math.cos(tilt) * Math.sin(longitude), Math.cos(longitude));
  const declination = Math.asin(Math.sin(tilt) * Math.sin(longitude));
  const hour = ((18.697374558 + 24.06570982441908 * days) * 15 + lon) * rad - ascension;
  return Math.asin(Math.sin(lat * rad) * Math.sin(declination) + Math.cos(lat * rad) * Math.cos(declination) * Math.cos(hour)) / rad;
}
