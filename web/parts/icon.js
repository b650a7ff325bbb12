import { html } from "../vendor/preact.js";

/**
 * A sign of icons.svg. With a label it says something, without one it is decoration.
 * @param {{name: string, label?: string, class?: string}} props
 */
export const Icon = ({ name, label, class: more = "" }) => html`
  <svg class=${`icon ${more}`} role=${label ? "img" : undefined} aria-label=${label} aria-hidden=${label ? undefined : "true"}>
    <use href=${`#i-${name}`} />
  </svg>
`;
