import { html, useId } from "../vendor/preact.js";

/** @typedef {[value: string, text: any][]} Options */

/**
 * One of several options, with a label.
 * @param {{label: string, value: string, options: Options, onPick: (value: string) => void, hint?: string, error?: string}} props
 */
export function Choice({ label, value, options, onPick, hint, error }) {
  const id = useId();
  const said = error ?? hint;
  return html`
    <div class="field">
      <label for=${id}>${label}</label>
      <select id=${id} class="choice" value=${value} aria-invalid=${error ? "true" : undefined} aria-describedby=${said ? `${id}-said` : undefined}
        onChange=${(/** @type {any} */ e) => onPick(e.target.value)}>${options.map(([v, text]) => html`<option value=${v} selected=${v === value}>${text}</option>`)}</select>
      ${said && html`<p id=${`${id}-said`} class=${error ? "field-error" : "field-hint"}>${said}</p>`}
    </div>
  `;
}

/**
 * Any of several options.
 * @param {{label: string, values: string[], options: Options, onChange: (values: string[]) => void, hint?: string, error?: string, ordered?: boolean}} props
 *   ordered numbers the chosen ones in the order in which they were chosen
 */
export function Checks({ label, values, options, onChange, hint, error, ordered }) {
  const flip = (/** @type {string} */ v) => onChange(values.includes(v) ? values.filter(other => other !== v) : [...values, v]);
  return html`
    <fieldset class="field checks">
      <legend>${label}</legend>
      <div class="checks-list">
        ${options.map(
          ([v, text]) => html`
            <label class="check"><input type="checkbox" checked=${values.includes(v)} onChange=${() => flip(v)} /><span>${text}</span>
              ${ordered && values.length > 1 && values.includes(v) && html`<span class="check-place num">${values.indexOf(v) + 1}</span>`}</label>
          `,
        )}
      </div>
      ${(error ?? hint) && html`<p class=${error ? "field-error" : "field-hint"}>${error ?? hint}</p>`}
    </fieldset>
  `;
}
