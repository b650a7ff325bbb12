// The service worker: the app without a network, and the sender when the page is closed.
import { LOCK, send } from "./send.js";

/** @typedef {{hash: string, files: string[], pages: string[]}} Shell */

const worker = /** @type {any} */ (globalThis);

/**
 * Called by the script that the server makes for each version.
 * @param {Shell} shell
 */
export function serve(shell) {
  const name = `courier-${shell.hash}`;
  worker.addEventListener("install", (/** @type {any} */ e) => {
    worker.skipWaiting();
    e.waitUntil(install(name, shell));
  });
  worker.addEventListener("activate", (/** @type {any} */ e) => e.waitUntil(activate(name)));
  worker.addEventListener("fetch", (/** @type {any} */ e) => {
    const { pathname, origin } = new URL(e.request.url);
    if (e.request.method !== "GET" || origin !== location.origin) return;
    if (e.request.mode === "navigate" && pathname === "/courier-app") e.respondWith(page(name, e.request));
    else if (pathname.startsWith("/assets/")) e.respondWith(asset(e.request));
  });
  worker.addEventListener("notificationclick", (/** @type {any} */ e) => e.waitUntil(show(e.notification)));
  worker.addEventListener("sync", (/** @type {any} */ e) => e.waitUntil(navigator.locks.request(LOCK, () => sendAll())));
}

/** @param {string} name @param {Shell} shell */
async function install(name, { hash, files, pages }) {
  const cache = await caches.open(name);
  await cache.addAll(files);
  for (const url of pages) {
    const reply = await fetch(url, { cache: "no-store" });
    const text = await reply.clone().text();
    if (!text.includes(hash)) throw new Error("the server is being updated"); // the browser tries again
    await cache.put(url, reply);
  }
}

/** Keeps the version before: a page that is open still uses it. @param {string} name */
async function activate(name) {
  const old = (await caches.keys()).filter(n => n.startsWith("courier-") && n !== name);
  await Promise.all(old.slice(0, -1).map(n => caches.delete(n)));
  await worker.clients.claim();
}

/** @param {string} name @param {Request} request */
async function page(name, request) {
  const cache = await caches.open(name);
  const asked = [new URL(request.url).searchParams.get("lang") ?? "", ...navigator.languages].map(l => l.slice(0, 2));
  const pages = (await cache.keys()).filter(r => new URL(r.url).pathname === "/courier-app");
  const found = asked.map(l => pages.find(r => r.url.endsWith(`?lang=${l}`))).find(Boolean) ?? pages[0];
  return (found && (await cache.match(found, { ignoreVary: true }))) ?? fetch(request);
}

/** @param {Request} request */
const asset = async request => (await caches.match(request, { ignoreVary: true })) ?? fetch(request);

/** Brings the app to the front. @param {Notification} reminder */
async function show(reminder) {
  reminder.close();
  const [open] = await worker.clients.matchAll({ type: "window" });
  return open ? open.focus() : worker.clients.openWindow("/courier-app");
}

async function sendAll() {
  const channel = new BroadcastChannel("courier");
  const { left } = await send((entry, answer) => channel.postMessage({ entry: { ...entry, files: undefined }, answer }));
  if (left) throw new Error("something still waits"); // the browser calls again
}
