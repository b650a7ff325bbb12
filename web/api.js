// REST calls of the pages. What the server refuses is thrown as a Refusal.

/** A problem that the server answered, or none of it: status 0 when there was no answer. */
export class Refusal extends Error {
  /** @param {number} status @param {{code?: string, detail?: string, title?: string}} [problem] */
  constructor(status, problem = {}) {
    super(problem.detail ?? problem.title ?? problem.code ?? String(status));
    this.status = status;
    this.code = problem.code ?? "";
  }

  /** Whether asking again is of no use: what was asked for is not there, or not for us. */
  get final() {
    return [401, 403, 404, 410].includes(this.status);
  }
}

const PATIENCE = 15_000; // milliseconds

/**
 * @param {string} method @param {string} path
 * @param {{token?: string, body?: unknown, key?: string}} [options] key makes a repeat of the call harmless
 * @returns {Promise<any>} the answer; undefined when it is empty
 */
export async function call(method, path, { token, body, key } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  let reply;
  try {
    reply = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE) });
  } catch {
    throw new Refusal(0);
  }
  const text = await reply.text().catch(() => "");
  const answer = parse(text);
  if (!reply.ok) throw new Refusal(reply.status, answer);
  return answer;
}

/** @param {string} text */
function parse(text) {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
