/** Tracks the versions of orders, so that each status is passed on once. */
export class Versions {
  /** @type {Map<string | undefined, number | undefined>} */
  #seen = new Map();
  /** @param {string | undefined} id */
  get(id) {
    return this.#seen.get(id);
  }
  /** @param {string} id @param {number} [version] */
  set(id, version) {
    this.#seen.set(id, version);
  }
  /** @param {string | undefined} id */
  delete(id) {
    this.#seen.delete(id);
  }

  /** Whether the frame is new. @param {import("./types.js").Frame} frame */
  take({ type, order_id: id, version }) {
    if (type === "snapshot" && this.#seen.has(id)) this.#seen.set(id, this.#seen.get(id) ?? version);
    if (type !== "status" || !this.#seen.has(id)) return true;
    if (Number(version) <= (this.#seen.get(id) ?? -1)) return false;
    this.#seen.set(id, version);
    return true;
  }
}
