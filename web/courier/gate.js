import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Field } from "../parts/field.js";
import { Empty, Notice } from "../parts/notice.js";
import { html, useState } from "../vendor/preact.js";

/** What is shown to who can't work yet. @param {import("./app.js").Props} props */
export function Gate({ boot, day }) {
  const state = day.state.value;
  return html`
    <main class="app-gate">
      <p class="quiet">${boot.brand.name}</p>
      ${state === "insecure" && html`<${Insecure} />`}
      ${state === "stranger" && html`<${Empty} icon="people" title=${t("stranger.title")} action=${html`<${Button} href="/">${t("stranger.board")}<//>`}>${t("stranger.text")}<//>`}
      ${state === "out" && html`<${SignIn} day=${day} />`}
    </main>
  `;
}

/** Browsers give no position, camera or service worker to pages that others could change on the way. */
const Insecure = () => html`
  <${Empty} icon="bad" title=${t("insecure.title")}>${t("insecure.text")}<//>
  <section class="app-card">
    <h2>${t("insecure.how")}</h2>
    <ol class="app-steps"><li>${t("insecure.step1")}</li><li>${t("insecure.step2")}</li><li>${t("insecure.step3")}</li></ol>
    <p class="small quiet">${t("insecure.phone")}</p>
  </section>
`;

/** Takes the link again: an app on an iPhone's home screen doesn't know what Safari knows. @param {{day: import("./day.js").Day}} props */
function SignIn({ day }) {
  const [text, setText] = useState("");
  const [busy, setBusy] = useState(false);
  const waiting = day.outbox.entries.value.filter(e => !e.refused).length;
  const enter = async (/** @type {Event} */ e) => {
    e.preventDefault();
    const code = text.trim().split("code=").pop() ?? "";
    if (!code) return;
    setBusy(true);
    await day.signInWith(new URLSearchParams({ code }));
    if (!day.why.value) {
      day.state.value = "loading";
      await day.identify();
      day.outbox.now();
    }
    setBusy(false);
  };
  return html`
    <${Empty} icon="phone" title=${t("out.title")}>${t("out.text")}<//>
    ${waiting > 0 && html`<${Notice} kind="offline" title=${t("waits", { n: waiting })}>${t("out.waits")}<//>`}
    <form class="app-card" onSubmit=${enter}>
      <${Field} label=${t("out.link")} value=${text} onInput=${setText} error=${day.why.value ? t(`why.${day.why.value}`) : undefined} hint=${t("out.hint")} />
      <${Button} kind="main" size="large" type="submit" busy=${busy}>${t("out.enter")}<//>
    </form>
  `;
}
