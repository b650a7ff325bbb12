import { Refusal } from "../api.js";
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Field } from "../parts/field.js";
import { html, useState } from "../vendor/preact.js";

/** Signs in with a key. @param {{boot: import("../start.js").Boot, session: import("./session.js").Session}} props */
export function Login({ boot, session }) {
  const [key, setKey] = useState("");
  const [busy, setBusy] = useState(false);
  const [error, setError] = useState(/** @type {string | undefined} */ (undefined));
  const send = async (/** @type {Event} */ e) => {
    e.preventDefault();
    if (!key.trim()) return setError(t("login.empty"));
    setBusy(true);
    try {
      await session.signIn(key.trim());
    } catch (reason) {
      const { code = "", status = 0 } = reason instanceof Refusal ? reason : {};
      const why = /** @type {Record<number, string>} */ ({ 401: "login.wrong", 403: "login.no_pages" })[status] ?? "board.unreachable";
      setError(t(code === "https_required" ? "login.https" : why));
    }
    setBusy(false);
  };
  return html`
    <main class="board-alone">
      <form class="login" onSubmit=${send}>
        <h1>${boot.brand.name || t("login.title")}</h1>
        <${Field} label=${t("login.key")} value=${key} onInput=${setKey} type="password" error=${error} hint=${t("login.hint")} />
        <${Button} kind="main" size="large" type="submit" busy=${busy}>${t("login.enter")}<//>
        ${boot.login && html`<${Button} href="/login/oidc">${t("login.oidc")}<//>`}
      </form>
    </main>
  `;
}
