import { t } from "../i18n/index.js";
import { html } from "../vendor/preact.js";

/**
 * A progress bar of steps.
 * @param {{steps: string[], at: number, stopped?: boolean}} props at is the step under way;
 *   steps.length when all are done; stopped when progress has stopped
 */
export const Progress = ({ steps, at, stopped }) => html`
  <ol class=${`progress ${stopped ? "stopped" : ""}`} aria-label=${t("progress.label")}>
    ${steps.map(
      (step, i) => html`
        <li class=${i < at ? "past" : i === at ? "now" : ""} aria-current=${i === at ? "step" : undefined}>
          <span class="progress-bar"></span><span class="progress-name">${step}</span>
        </li>
      `,
    )}
  </ol>
`;
