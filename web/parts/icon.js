import { html } from "../vendor/preact.js";

/**
 * An icon of icons.svg; decorative without a label.
 * @param {{name: string, label?: string, class?: string}} props
 */
export const Icon = ({ name, label, class: more = "" }) => html`
  <svg class=${`icon ${more}`} role=${label ? "img" : undefined} aria-label=${label} aria-hidden=${label ? undefined : "true"}>
    <use href=${`#i-${name}`} />
  </svg>
`;
