import { html } from "../vendor/preact.js";
import { Icon } from "./icon.js";

const signs = { info: "info", late: "clock", bad: "bad", offline: "offline", good: "check" };

/**
 * A notice with at most one action.
 * @param {{kind?: keyof typeof signs, title?: any, children?: any, action?: any, live?: boolean}} props
 *   live announces it to screen readers
 */
export const Notice = ({ kind = "info", title, children, action, live }) => html`
  <div class=${`notice ${kind}`} role=${live ? "status" : undefined}>
    <${Icon} name=${signs[kind]} />
    <div class="notice-text">${title && html`<p class="strong">${title}</p>`}${children && html`<p>${children}</p>`}</div>
    ${action}
  </div>
`;

/**
 * The empty state of a list or page.
 * @param {{icon: string, title: any, children?: any, action?: any}} props
 */
export const Empty = ({ icon, title, children, action }) => html`
  <div class="empty"><span class="empty-sign"><${Icon} name=${icon} /></span><h2>${title}</h2>${children && html`<p>${children}</p>`}${action}</div>
`;
