/** The type of what rows carry when they are dragged. */
export const CARRIED = "application/x-rows";

/** @param {DragEvent} e */
const carries = e => e.dataTransfer?.types.includes(CARRIED);

/**
 * The handlers of an element on which rows can be dropped; it has the class "over" meanwhile.
 * @param {(data: string, event: DragEvent) => void} drop @param {(event: DragEvent) => boolean} [takes] whether it takes them at this place
 */
export const droppable = (drop, takes = () => true) => ({
  onDragOver: (/** @type {DragEvent} */ e) => {
    const box = /** @type {HTMLElement} */ (e.currentTarget);
    const may = carries(e) && takes(e);
    box.classList.toggle("over", Boolean(may));
    if (may) e.preventDefault();
  },
  onDragLeave: (/** @type {DragEvent} */ e) => /** @type {HTMLElement} */ (e.currentTarget).classList.remove("over"),
  onDrop: (/** @type {DragEvent} */ e) => {
    /** @type {HTMLElement} */ (e.currentTarget).classList.remove("over");
    e.preventDefault();
    drop(e.dataTransfer?.getData(CARRIED) ?? "", e);
  },
});

/**
 * droppable for what is dropped on a courier of a map.
 * @param {(data: string, courier: string) => void} drop
 */
export const dropping = drop => (/** @type {(e: DragEvent) => string | undefined} */ courierAt) =>
  droppable(
    (data, e) => drop(data, courierAt(e) ?? ""),
    e => Boolean(courierAt(e)),
  );
