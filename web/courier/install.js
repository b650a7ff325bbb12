// The app on the phone: its service worker and new versions of it.
import { signal } from "../vendor/preact.js";

/** Whether a newer version has been fetched: it shows after a reload. */
export const newer = signal(false);

/** The browser's offer to put the app on the home screen. */
export const offered = signal(/** @type {any} */ (undefined));

/** Whether the app was opened from the home screen. */
export const atHome = () => matchMedia("(display-mode: standalone)").matches || Boolean(/** @type {any} */ (navigator).standalone);

/** Ends when the worker has fetched all that the app needs, or there is none. */
export async function install() {
  addEventListener("beforeinstallprompt", e => {
    e.preventDefault();
    offered.value = e;
  });
  addEventListener("appinstalled", () => {
    offered.value = undefined;
  });
  const workers = navigator.serviceWorker;
  if (!workers) return;
  const first = !workers.controller;
  workers.addEventListener("controllerchange", () => {
    if (!first) newer.value = true;
  });
  document.addEventListener("visibilitychange", () => document.hidden && newer.value && idle() && location.reload());
  try {
    await workers.register(address(), { scope: "/courier-app", type: "module", updateViaCache: "none" });
    await workers.ready;
  } catch {
    // It is not there offline then; all else works.
  }
}

/** Whether nobody is in the middle of something: a photo that is being taken hides the page, too. */
const idle = () => !document.querySelector("dialog[open]");

/** Browsers with Trusted Types take a script's address from a policy only. */
function address() {
  const url = "/courier-app/worker.js";
  const types = /** @type {any} */ (globalThis).trustedTypes;
  return types ? types.createPolicy("courier-app", { createScriptURL: () => url }).createScriptURL(url) : url;
}
