import { html } from "../vendor/preact.js";
import { Icon } from "./icon.js";

/**
 * A button, or a link that looks like one. While busy it keeps its size and ignores clicks.
 * @param {{kind?: "main"|"plain"|"quiet"|"danger", size?: "large", icon?: string, label?: string, href?: string, busy?: boolean,
 *   disabled?: boolean, type?: "button"|"submit", onClick?: (event: Event) => void, children?: any}} props
 *   label names a button that only has an icon
 */
export function Button({ kind = "plain", size, icon, label, href, busy, disabled, type = "button", onClick, children }) {
  const look = `button ${kind} ${size ?? ""} ${children ? "" : "square"}`;
  const inside = html`${icon && html`<${Icon} name=${icon} />`}${children && html`<span>${children}</span>`}`;
  if (href) return html`<a class=${look} href=${href} aria-label=${label} title=${label}>${inside}</a>`;
  return html`
    <button class=${look} type=${type} aria-label=${label} title=${label} aria-busy=${busy ? "true" : undefined}
      aria-disabled=${busy || disabled ? "true" : undefined} disabled=${disabled}
      onClick=${(/** @type {Event} */ e) => (busy ? e.preventDefault() : onClick?.(e))}>${inside}</button>
  `;
}
