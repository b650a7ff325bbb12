import { t } from "../i18n/index.js";
import { html } from "../vendor/preact.js";
import { Icon } from "./icon.js";

/**
 * One to five stars, each a button.
 * @param {{value: number, onPick?: (stars: number) => void, busy?: boolean}} props read-only without onPick
 */
export function Stars({ value, onPick, busy }) {
  if (!onPick) {
    return html`<span class="stars" role="img" aria-label=${t("rating.stars", { n: value })}>${all.map(n => html`<${Star} on=${n <= value} />`)}</span>`;
  }
  return html`
    <div class="stars" role="group" aria-label=${t("rating.title")}>
      ${all.map(
        n => html`
          <button type="button" aria-pressed=${n === value ? "true" : "false"} aria-label=${t("rating.stars", { n })}
            aria-disabled=${busy ? "true" : undefined} onClick=${() => !busy && onPick(n)}><${Star} on=${n <= value} /></button>
        `,
      )}
    </div>
  `;
}

const all = [1, 2, 3, 4, 5];

/** @param {{on: boolean}} props */
const Star = ({ on }) => html`<${Icon} name="star" class=${on ? "on" : ""} />`;
