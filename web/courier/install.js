// The app on the phone: its service worker and new versions of it.
import { signal } from "../vendor/preact.js";

/** Whether a newer version has been fetched: it shows after a reload. */
export const newer = signal(false);

export async function install() {
  const workers = navigator.serviceWorker;
  if (!workers) return;
  const first = !workers.controller;
  workers.addEventListener("controllerchange", () => {
    if (!first) newer.value = true;
  });
  document.addEventListener("visibilitychange", () => document.hidden && newer.value && idle() && location.reload());
  try {
    await workers.register(address(), { scope: "/courier-app", type: "module", updateViaCache: "none" });
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
