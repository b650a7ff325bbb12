import { t } from "../i18n/index.js";
import { html, useId, useLayoutEffect, useRef } from "../vendor/preact.js";
import { Button } from "./button.js";

/**
 * A modal dialog; on a phone a bottom sheet. The browser keeps the focus inside; Escape,
 * the backdrop and the cross close it.
 * @param {{open: boolean, title: string, onClose: () => void, children?: any, actions?: any, side?: boolean}} props
 *   side: a drawer at the side of a wide page
 */
export function Dialog({ open, title, onClose, children, actions, side }) {
  const ref = useRef(/** @type {HTMLDialogElement | null} */ (null));
  const id = useId();
  useLayoutEffect(() => {
    const dialog = ref.current;
    if (open && !dialog?.open) dialog?.showModal();
    if (!open && dialog?.open) dialog.close();
  }, [open]);
  return html`
    <dialog ref=${ref} class=${`dialog ${side ? "side" : ""}`} aria-labelledby=${id} onClose=${() => open && onClose()}
      onClick=${(/** @type {Event} */ e) => e.target === ref.current && onClose()}>
      <div class="dialog-inside">
        <header class="dialog-head"><h2 id=${id}>${title}</h2><${Button} kind="quiet" icon="close" label=${t("close")} onClick=${onClose} /></header>
        <div class="dialog-body">${children}</div>
        ${actions && html`<footer class="dialog-actions">${actions}</footer>`}
      </div>
    </dialog>
  `;
}
