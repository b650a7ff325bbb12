// The service worker of a customer's link: shows the messages that arrive while the page is closed.
const worker = /** @type {any} */ (globalThis);

worker.addEventListener("push", (/** @type {any} */ e) => {
  const { title, ...options } = e.data.json().notification;
  e.waitUntil(worker.registration.showNotification(title, { ...options, renotify: true }));
});

worker.addEventListener("notificationclick", (/** @type {any} */ e) => {
  e.notification.close();
  e.waitUntil(show());
});

/** Opens the order's page, or returns to it. */
async function show() {
  const page = worker.registration.scope;
  const open = (await worker.clients.matchAll({ type: "window", includeUncontrolled: true })).find((/** @type {any} */ c) => c.url.startsWith(page));
  return open ? open.focus() : worker.clients.openWindow(page);
}
