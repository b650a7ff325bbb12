import { lang, t } from "../../i18n/index.js";
import { html, useEffect, useRef } from "../../vendor/preact.js";
import uPlot from "../../vendor/uplot.js";

/** @typedef {{name: string, color: string, bars?: boolean, values: (number | null)[]}} Line color is a token's name */

const HEIGHT = 220;
const HALF = 43_200; // of a day, seconds: room for the bars at the ends
const theme = matchMedia("(prefers-color-scheme: dark)");

for (const name of ["../../vendor/uplot.css", "./reports.css"]) {
  const link = document.createElement("link");
  link.rel = "stylesheet";
  link.href = new URL(name, import.meta.url).href;
  document.head.append(link);
}

/** A token as canvases know it. @param {HTMLElement} box @param {string} token */
function colour(box, token) {
  const probe = box.appendChild(document.createElement("span"));
  probe.style.color = `var(--${token})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

/**
 * Numbers by day.
 * @param {{label: string, x: number[], lines: Line[], unit?: string, most?: number}} props x are days, seconds of UTC; most is the end of the scale
 */
export function Chart({ label, x, lines, unit = "", most }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  useEffect(() => {
    const box = ref.current;
    if (!box) return;
    let chart = draw(box, { x, lines, unit, most });
    const again = () => {
      chart.destroy();
      chart = draw(box, { x, lines, unit, most });
    };
    const watch = new ResizeObserver(() => chart.setSize({ width: box.clientWidth, height: HEIGHT }));
    watch.observe(box);
    theme.addEventListener("change", again);
    return () => {
      watch.disconnect();
      theme.removeEventListener("change", again);
      chart.destroy();
    };
  }, [x.join(), JSON.stringify(lines)]);
  return html`<figure class="card chart"><figcaption class="strong">${label}</figcaption><div class="chart-box" role="img" aria-label=${label} ref=${ref}></div></figure>`;
}

/** @param {HTMLElement} box @param {{x: number[], lines: Line[], unit: string, most?: number}} of */
function draw(box, { x, lines, unit, most }) {
  const day = new Intl.DateTimeFormat(lang, { day: "numeric", month: "short", timeZone: "UTC" });
  const number = (/** @type {number | null} */ v) => (v === null ? "–" : `${v.toLocaleString(lang, { maximumFractionDigits: 1 })}${unit && `\u202f${unit}`}`);
  const ink = colour(box, "ink-2");
  const axis = { stroke: ink, grid: { stroke: colour(box, "line"), width: 1 }, ticks: { show: false }, font: `12px ${getComputedStyle(box).fontFamily}` };
  return new uPlot(
    {
      width: box.clientWidth,
      height: HEIGHT,
      cursor: { sync: { key: "reports" }, drag: { x: false, y: false } },
      tzDate: seconds => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
      scales: { x: { range: (_, first, last) => [first - HALF, last + HALF] }, y: { range: (_, __, high) => [0, most ?? Math.max(1, high * 1.1)] } },
      axes: [
        {
          ...axis,
          grid: { show: false },
          size: 30,
          space: 64,
          incrs: [1, 2, 7, 14, 30, 60].map(n => n * 86_400),
          values: (_, at) => at.map(s => day.format(s * 1000)),
        },
        { ...axis, size: 56, values: (_, at) => at.map(number) },
      ],
      series: [
        { label: t("reports.by.day"), value: (_, s) => (s ? day.format(s * 1000) : "–") },
        ...lines.map(line => {
          const stroke = colour(box, line.color);
          return {
            label: line.name,
            stroke,
            width: 2,
            points: { show: x.length < 40, size: 5, fill: stroke },
            value: (/** @type {uPlot} */ _, /** @type {number | null} */ v) => number(v),
            ...(line.bars && { fill: stroke, width: 0, paths: uPlot.paths.bars?.({ size: [0.7, 40] }), points: { show: false } }),
          };
        }),
      ],
    },
    [x, ...lines.map(line => line.values)],
    box,
  );
}
