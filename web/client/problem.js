/** @typedef {import("./types.js").Problem} Problem */

/** Why a socket was closed for good. @type {Record<number, Problem>} */
export const CLOSINGS = {
  4001: { status: 401, code: "unauthenticated", title: "Unauthorised" },
  4002: { status: 403, code: "forbidden", title: "Access was revoked" },
  4400: { status: 400, code: "malformed", title: "Bad request" },
};

/** Whether reconnecting after the problem is useless. @param {Partial<Problem>} problem */
export const final = ({ status = 0 }) => status >= 400 && status < 500 && status !== 429;

/** Reads a refusal of REST. @param {Response} reply @returns {Promise<Problem>} */
export async function problemOf(reply) {
  const body = await reply.json().catch(() => ({}));
  return { status: reply.status, title: reply.statusText, ...body, retryAfter: 1000 * Number(reply.headers.get("Retry-After")) };
}
