import { t } from "../i18n/index.js";
import { html } from "../vendor/preact.js";
import { Icon } from "./icon.js";
import { groupOf } from "./status.js";

/**
 * The mark of a status, with or without its name.
 * @param {{status: string, bare?: boolean}} props
 */
export const StatusMark = ({ status, bare }) => html`
  <span class=${`mark ${groupOf(status)}`}>
    <${Icon} name=${groupOf(status)} label=${bare ? t(`mark.${status}`) : undefined} />
    ${!bare && html`<span>${t(`mark.${status}`)}</span>`}
  </span>
`;
