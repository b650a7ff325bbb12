import { html, useLayoutEffect, useRef, useState } from "../vendor/preact.js";
import { CARRIED } from "./drag.js";

/**
 * @template R
 * @typedef {{key: string, title: string, cell: (row: R) => any, width?: string, end?: boolean}} Column
 *   width as a track of a grid; end for numbers
 */

const ROW = 36;

/**
 * A virtualised table: rows have one height and only visible ones are rendered.
 * @template R
 * @param {{rows: R[], columns: Column<R>[], id: (row: R) => string, label: string, selected?: string,
 *   marked?: Set<string>, onPick?: (row: R) => void, drag?: (row: R) => string, empty?: any}} props
 *   selected is kept in view; marked rows are those chosen for an action; drag is what a row carries where it is dropped
 */
export function Table({ rows, columns, id, label, selected, marked, onPick, drag, empty }) {
  const ref = useRef(/** @type {HTMLElement | null} */ (null));
  const [view, setView] = useState({ from: 0, count: 40 });
  useLayoutEffect(() => {
    const box = ref.current;
    if (!box) return;
    const look = () => {
      const from = Math.max(0, Math.floor(box.scrollTop / ROW) - 8);
      setView(was => (was.from === from && was.count === countIn(box) ? was : { from, count: countIn(box) }));
    };
    const watch = new ResizeObserver(look);
    watch.observe(box);
    box.addEventListener("scroll", look, { passive: true });
    return () => {
      watch.disconnect();
      box.removeEventListener("scroll", look);
    };
  }, []);
  useLayoutEffect(() => {
    const at = selected ? rows.findIndex(row => id(row) === selected) : -1;
    const box = ref.current;
    if (!box || at < 0) return;
    if (at * ROW < box.scrollTop) box.scrollTop = at * ROW;
    else if ((at + 2) * ROW > box.scrollTop + box.clientHeight) box.scrollTop = (at + 2) * ROW - box.clientHeight;
  }, [selected]);
  const tracks = columns.map(c => c.width ?? "minmax(0, 1fr)").join(" ");
  const shown = rows.slice(view.from, view.from + view.count);
  return html`
    <div class="table" role="table" aria-label=${label} aria-rowcount=${rows.length + 1} ref=${ref} tabindex="0">
      <div role="row" class="table-row table-head" style=${{ gridTemplateColumns: tracks }}>
        ${columns.map(c => html`<span role="columnheader" class=${c.end ? "end" : ""}>${c.title}</span>`)}
      </div>
      ${rows.length === 0 && empty}
      <div role="rowgroup" class="table-body" style=${{ blockSize: `${rows.length * ROW}px` }}>
        ${shown.map(
          (row, i) => html`
            <div role="row" key=${id(row)} aria-rowindex=${view.from + i + 2} aria-selected=${marked ? (marked.has(id(row)) ? "true" : "false") : undefined} class=${`table-row ${id(row) === selected ? "selected" : ""} ${marked?.has(id(row)) ? "marked" : ""} ${onPick ? "pick" : ""}`}
              style=${{ gridTemplateColumns: tracks, transform: `translateY(${(view.from + i) * ROW}px)` }} onClick=${() => onPick?.(row)}
              draggable=${drag ? "true" : undefined} onDragStart=${drag && ((/** @type {DragEvent} */ e) => e.dataTransfer?.setData(CARRIED, drag(row)))}>
              ${columns.map(c => html`<span role="cell" class=${c.end ? "end num" : ""}>${c.cell(row)}</span>`)}
            </div>
          `,
        )}
      </div>
    </div>
  `;
}

/** @param {HTMLElement} box */
const countIn = box => Math.ceil(box.clientHeight / ROW) + 16;
