import { call } from "../api.js";
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Field } from "../parts/field.js";
import { say } from "../parts/toast.js";
import { html, useState } from "../vendor/preact.js";
import { MESSAGE, reached, whyNot } from "./actions.js";

/** The customer's link, and a message to the customer. @param {import("./app.js").Props & {order: import("./groups.js").Order}} props */
export function Sharing({ order, board, session }) {
  const [url, setUrl] = useState("");
  const [text, setText] = useState(/** @type {string | undefined} */ (undefined));
  const [busy, setBusy] = useState(false);
  const share = async () => {
    try {
      const made = await call("POST", `/order/${order.id}/share`, { body: {} });
      setUrl(made.url);
      await navigator.clipboard?.writeText(made.url).then(() => say(t("share.copied")));
    } catch (reason) {
      say(whyNot(reason, board), { kind: "bad" });
    }
  };
  const send = async (/** @type {Event} */ e) => {
    e.preventDefault();
    setBusy(true);
    try {
      const told = await call("POST", `/order/${order.id}/notify`, { body: { text: text?.trim() }, key: crypto.randomUUID() });
      say(reached(told.deliveries));
      setText(undefined);
    } catch (reason) {
      say(whyNot(reason, board), { kind: "bad" });
    }
    setBusy(false);
  };
  return html`
    <section class="card sharing">
      ${session.can("createShare") && html`<${Button} icon="copy" onClick=${share}>${t("share.copy")}<//>`}
      ${session.can("notifyCustomer") && text === undefined && html`<${Button} icon="bell" onClick=${() => setText("")}>${t("message.write")}<//>`}
      ${url && html`<a class="small" href=${url} target="_blank" rel="noreferrer">${url}</a>`}
      ${
        text !== undefined &&
        html`
          <form class="message" onSubmit=${send}>
            <${Field} label=${t("message.text")} value=${text} onInput=${setText} rows=${3} limit=${MESSAGE} />
            <${Button} kind="main" type="submit" busy=${busy} disabled=${!text.trim()}>${t("message.send")}<//><${Button} onClick=${() => setText(undefined)}>${t("keep.closed")}<//>
          </form>
        `
      }
    </section>
  `;
}
