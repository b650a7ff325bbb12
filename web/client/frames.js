// What streams have in common: refusals, and which frames are new.

/** @typedef {import("./types.js").Problem} Problem */

/** Why a socket was closed for good. @type {Record<number, Problem>} */
export const CLOSINGS = {
  4001: { status: 401, code: "unauthenticated", title: "Unauthorised" },
  4002: { status: 403, code: "forbidden", title: "Access was revoked" },
  4400: { status: 400, code: "malformed", title: "Bad request" },
};

/** Whether reconnecting after the problem is useless: the server said no, and not a proxy before it. @param {Partial<Problem>} problem */
export const final = ({ status = 0, code }) => Boolean(code) && status >= 400 && status < 500 && status !== 429;

/** Reads a refusal of REST. @param {Response} reply @returns {Promise<Problem>} */
export async function problemOf(reply) {
  const body = await reply.json().catch(() => ({}));
  return { status: reply.status, title: reply.statusText, ...body, retryAfter: 1000 * Number(reply.headers.get("Retry-After")) };
}

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
