import { t } from "../i18n/index.js";
import { html, signal } from "../vendor/preact.js";
import { Button } from "./button.js";

/** @typedef {{id: number, text: string, kind: "plain"|"bad", undo?: () => void}} Toast */

/** The visible toasts, oldest first. */
export const toasts = signal(/** @type {Toast[]} */ ([]));
let last = 0;

/**
 * Shows the result of an action for a few seconds; longer if it can be undone.
 * @param {string} text @param {{kind?: "plain"|"bad", undo?: () => void, stay?: boolean}} [options]
 */
export function say(text, { kind = "plain", undo, stay } = {}) {
  const id = ++last;
  toasts.value = [...toasts.value.slice(-2), { id, text, kind, undo }];
  if (!stay) setTimeout(() => drop(id), undo || kind === "bad" ? 8000 : 4000);
}

/** @param {number} id */
const drop = id => {
  toasts.value = toasts.value.filter(toast => toast.id !== id);
};

/** @param {Toast} toast */
const undo = toast => {
  toast.undo?.();
  drop(toast.id);
};

/** Where toasts appear; once a page. */
export const Toasts = () => html`
  <div class="toasts" role="status" aria-live="polite">
    ${toasts.value.map(
      toast => html`
        <div class=${`toast ${toast.kind}`} key=${toast.id}>
          <span>${toast.text}</span>
          ${toast.undo && html`<${Button} kind="quiet" onClick=${() => undo(toast)}>${t("undo")}<//>`}
          <${Button} kind="quiet" icon="close" label=${t("close")} onClick=${() => drop(toast.id)} />
        </div>
      `,
    )}
  </div>
`;
