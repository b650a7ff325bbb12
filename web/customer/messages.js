// Messages about the order: by this browser, or by a messenger that the shop has.
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Icon } from "../parts/icon.js";
import { ended } from "../parts/status.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";

/** @typedef {{store: import("./store.js").Store, order: import("./story.js").Order}} Props */

const workers = navigator.serviceWorker;

/** Whether this browser shows messages: an iPhone's does so for pages on the home screen only. */
const canPush = Boolean(workers) && "PushManager" in window;
const isPhone = /iPhone|iPad|Macintosh/.test(navigator.userAgent) && navigator.maxTouchPoints > 1;

/** A line for each way that the shop offers and the browser knows. @param {Props} props */
export function Messages({ store, order }) {
  const over = ended(order.status);
  useEffect(() => {
    if (over && canPush) forget().catch(() => {}); // nothing more is to come
  }, [over]);
  const chats = ["telegram", "max"].filter(channel => store.can.has(channel));
  const browser = store.can.has("webpush") && (canPush || isPhone);
  if (over || (!browser && !chats.length)) return null;
  return html`
    <section class="card">
      <h2>${t("messages.title")}</h2>
      <ul class="ways">
        ${browser && html`<${Browser} store=${store} order=${order} />`}
        ${chats.map(channel => html`<${Chat} key=${channel} store=${store} order=${order} channel=${channel} />`)}
      </ul>
    </section>
  `;
}

/** @param {{icon: string, name: string, about: string, children?: any}} props */
const Way = ({ icon, name, about, children }) => html`
  <li><${Icon} name=${icon} /><span><span class="strong">${name}</span><span class="small quiet">${about}</span></span>${children}</li>
`;

/**
 * Does something that may fail, and tells so.
 * @returns {[boolean, (act: () => Promise<unknown>) => Promise<void>]} whether it is under way, and what does it
 */
function useBusy() {
  const [busy, setBusy] = useState(false);
  return [
    busy,
    async act => {
      setBusy(true);
      await act().catch(() => say(t("messages.failed"), { kind: "bad" }));
      setBusy(false);
    },
  ];
}

/** This browser. @param {Props} props */
function Browser({ store, order }) {
  const [subscribed, setSubscribed] = useState(false);
  const [denied, setDenied] = useState(canPush && Notification.permission === "denied");
  const [busy, run] = useBusy();
  useEffect(() => {
    if (canPush) subscription().then(found => setSubscribed(Boolean(found)));
  }, []);
  const turnOn = async () => {
    setDenied((await Notification.requestPermission()) === "denied");
    if (Notification.permission !== "granted") return;
    const registration = await workers.register(scriptAddress(), { scope: location.pathname, updateViaCache: "none" });
    const { public_key: applicationServerKey } = await store.call("POST", "/contacts", { channel: "webpush" });
    await workers.ready;
    const { endpoint, keys } = (await registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey })).toJSON();
    await store.change("/contacts", { channel: "webpush", subscription: { endpoint, keys } });
    setSubscribed(true);
  };
  const turnOff = async () => {
    const found = (await subscription())?.toJSON();
    if (found) await store.change("/contacts", { channel: "webpush", subscription: { endpoint: found.endpoint, keys: found.keys }, remove: true });
    await forget();
    setSubscribed(false);
  };
  const on = subscribed && order.contacts?.includes("webpush");
  const state = !canPush ? "home" : denied ? "denied" : on ? "on" : "browser";
  return html`
    <${Way} icon="bell" name=${t("messages.here")} about=${t(`messages.${state}`)}>
      ${on && html`<${Button} kind="quiet" busy=${busy} onClick=${() => run(turnOff)}>${t("messages.stop")}<//>`}
      ${state === "browser" && html`<${Button} busy=${busy} onClick=${() => run(turnOn)}>${t("messages.start")}<//>`}
    <//>
  `;
}

/** A messenger: its bot is started with a code for one use. @param {Props & {channel: string}} props */
function Chat({ store, order, channel }) {
  const [busy, run] = useBusy();
  const connect = async () => {
    const chat = open("", "_blank"); // at once: later the browser would block it
    const { url } = await store.call("POST", "/contacts", { channel }).catch(reason => {
      chat?.close();
      throw reason;
    });
    if (chat) chat.opener = null;
    (chat ?? window).location.href = url;
  };
  const on = order.contacts?.includes(channel);
  return html`
    <${Way} icon="note" name=${t(`messages.${channel}`)} about=${t(on ? "messages.on" : "messages.chat")}>
      ${on && html`<${Button} kind="quiet" busy=${busy} onClick=${() => run(() => store.change("/contacts", { channel, remove: true }))}>${t("messages.stop")}<//>`}
      ${!on && html`<${Button} busy=${busy} onClick=${() => run(connect)}>${t("messages.open")}<//>`}
    <//>
  `;
}

/** This link's own: another order has another one. */
const registration = async () => {
  const found = await workers.getRegistration(location.pathname);
  return found?.scope === location.origin + location.pathname ? found : undefined;
};

const subscription = async () => (await registration())?.pushManager.getSubscription();

/** Ends this browser's subscription. */
async function forget() {
  await (await subscription())?.unsubscribe();
  await (await registration())?.unregister();
}

/** Browsers with Trusted Types take a script's address from a policy only. */
function scriptAddress() {
  const url = "/t/worker.js";
  const types = /** @type {any} */ (globalThis).trustedTypes;
  policy ??= types?.createPolicy("messages", { createScriptURL: () => url });
  return policy?.createScriptURL(url) ?? url;
}

/** @type {any} */
let policy;
