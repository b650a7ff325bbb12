// A notification of the phone: the page is hidden, and nobody sees where the courier is.
import { call } from "../api.js";
import { t } from "../i18n/index.js";

const tag = "position";

/** Whether the courier can still be asked for permission. */
export const askable = () => globalThis.Notification?.permission === "default";

/** To be called on a tap. */
export const ask = async () => askable() && Notification.requestPermission();

export async function remind() {
  if (globalThis.Notification?.permission !== "granted") return;
  const worker = await navigator.serviceWorker.ready;
  await worker.showNotification(t("place.hidden"), { body: t("place.hidden.text"), tag, lang: document.documentElement.lang }).catch(() => {});
}

/** The courier is back. */
export async function forget() {
  const worker = await navigator.serviceWorker?.getRegistration();
  for (const shown of (await worker?.getNotifications({ tag })) ?? []) shown.close();
}

/**
 * Whether the server has heard since then where the courier is, from another app of the phone.
 * @param {import("./day.js").Day} day @param {{lat: number, lon: number} | undefined} mine the page's last fix @param {number} since
 */
export async function elsewhere(day, mine, since) {
  const { position } = await call("GET", `/courier/${day.id}`).catch(() => ({}));
  const another = position && (position.lat !== mine?.lat || position.lon !== mine?.lon);
  return Boolean(another) && Date.parse(position.received_at) > since + day.offset;
}
