import { call } from "../../api.js";
import { lang, t } from "../../i18n/index.js";
import { Button } from "../../parts/button.js";
import { Notice } from "../../parts/notice.js";
import { ago } from "../../parts/time.js";
import { say } from "../../parts/toast.js";
import { html, useState } from "../../vendor/preact.js";
import { whyNot } from "../actions.js";
import { go } from "../route.js";
import { Ask, Secret } from "../secret.js";
import { Deliveries } from "./deliveries.js";
import { Bound, Form } from "./form.js";
import { useResource } from "./resource.js";
import { Types } from "./webhooks.js";

const DAY = 24 * 3600; // seconds for which the old secret signs too

/** One webhook: its address, secret, test and log. @param {import("../app.js").Props & {id: string}} props */
export function Webhook({ id, board }) {
  const path = `/webhooks/${id}`;
  const of = useResource(board, path);
  const [secret, setSecret] = useState("");
  const [asking, setAsking] = useState("");
  const [testing, setTesting] = useState(false);
  const bad = (/** @type {unknown} */ reason) => say(whyNot(reason, board), { kind: "bad" });
  const hook = of.stored;
  const test = async () => {
    setTesting(true);
    await call("POST", `${path}/test`).then(
      told =>
        say(told.delivered ? t("webhooks.test.good", { code: told.code, n: told.duration_ms }) : t("webhooks.test.bad", { why: told.error ?? told.code }), {
          kind: told.delivered ? "plain" : "bad",
        }),
      bad,
    );
    setTesting(false);
  };
  const rotate = () =>
    call("POST", `${path}/rotate`, { body: { overlap_seconds: DAY }, key: crypto.randomUUID() }).then(({ secret: fresh, ...rest }) => {
      setSecret(fresh);
      of.take(rest);
    }, bad);
  const turn = () => call("PATCH", path, { body: { enabled: !hook.enabled }, version: hook.version, key: crypto.randomUUID() }).then(of.take, bad);
  const remove = () => call("DELETE", path, { version: hook.version, key: crypto.randomUUID() }).then(() => go({ id: "" }), bad);
  const more = html`
    <${Button} icon="go" busy=${testing} onClick=${test}>${t("webhooks.test")}<//>
    <${Button} icon="again" onClick=${() => setAsking("rotate")}>${t("webhooks.rotate")}<//>
    <${Button} onClick=${turn}>${t(hook?.enabled ? "webhooks.off" : "webhooks.enable")}<//>
    <${Button} kind="danger" onClick=${() => setAsking("delete")}>${t("webhooks.delete")}<//>
    <${Button} icon="back" onClick=${() => go({ id: "" })}>${t("back")}<//>
  `;
  const off = hook?.disabled;
  return html`
    <${Form} of=${of} title=${hook?.description || t("webhooks.one")} more=${more}>
      ${off && html`<${Notice} kind="bad" title=${t(`disabled.${off.reason}`)}>${ago(Date.parse(off.at), board.now.value, { lang })}. ${t("disabled.text")}<//>`}
      <${Bound} of=${of} at="/url" limit=${2000} />
      <${Bound} of=${of} at="/description" limit=${200} />
      <${Types} values=${of.get("/types") ?? []} onChange=${(/** @type {string[]} */ v) => of.set("/types", v)} error=${of.errors["/types"]} />
    <//>
    <${Deliveries} path=${path} board=${board} />
    <${Secret} title=${t("webhooks.secret")} value=${secret} close=${() => setSecret("")} />
    <${Ask} open=${asking === "rotate"} title=${t("webhooks.rotate.title")} text=${t("webhooks.rotate.text")} act=${t("webhooks.rotate")} close=${() => setAsking("")} sure=${rotate} />
    <${Ask} open=${asking === "delete"} title=${t("webhooks.delete.title")} text=${t("webhooks.delete.text")} act=${t("webhooks.delete")} close=${() => setAsking("")} sure=${remove} />
  `;
}
