import { html, useId } from "../vendor/preact.js";

/**
 * A text field with its label, error, and the characters left near the limit.
 * @param {{label: string, value: string, onInput: (value: string) => void, rows?: number, limit?: number, error?: string, hint?: string,
 *   placeholder?: string, type?: string, mode?: string, unlabelled?: boolean}} props
 *   mode: the keyboard of phones
 */
export function Field({ label, value, onInput, rows, limit, error, hint, placeholder, type = "text", mode, unlabelled }) {
  const id = useId();
  const left = limit ? limit - value.length : Number.POSITIVE_INFINITY;
  const said = error ?? (limit && left < limit / 5 ? String(left) : hint);
  const props = {
    id,
    value,
    placeholder,
    maxLength: limit,
    inputMode: mode,
    "aria-invalid": error ? "true" : undefined,
    "aria-describedby": said ? `${id}-said` : undefined,
    onInput: (/** @type {any} */ e) => onInput(e.target.value),
  };
  return html`
    <div class="field">
      <label for=${id} class=${unlabelled ? "unseen" : ""}>${label}</label>
      ${rows ? html`<textarea rows=${rows} ...${props}></textarea>` : html`<input type=${type} ...${props} />`}
      ${said && html`<p id=${`${id}-said`} class=${error ? "field-error" : "field-hint num"}>${said}</p>`}
    </div>
  `;
}
