// REST calls of the pages. An error response is thrown as a Refusal.

/** A problem from the server; status 0 without a response. */
export class Refusal extends Error {
  /** @param {number} status @param {{code?: string, detail?: string, title?: string, [more: string]: any}} [problem] */
  constructor(status, problem = {}) {
    super(problem.detail ?? problem.title ?? problem.code ?? String(status));
    this.status = status;
    this.code = problem.code ?? "";
    this.problem = problem;
  }

  /** Whether a retry is useless: not found or not permitted, by the server and not by a proxy before it. */
  get final() {
    return Boolean(this.code) && [401, 403, 404, 410].includes(this.status);
  }
}

const PATIENCE = 15_000; // milliseconds
// How long an answer may take to begin. Networks forget connections without a word, and a browser has six, of which our pages use
// two at a time: what only reads is asked again over the next ones.
const READING = [3_000, 3_000, 3_000, PATIENCE];

/**
 * @param {string} method @param {string} path
 * @param {{token?: string, body?: unknown, key?: string, version?: number}} [options] key an idempotency key;
 *   version what a change applies to (If-Match); 0 if it is the first
 * @returns {Promise<any>} the response; undefined when it is empty
 */
export async function call(method, path, { token, body, key, version } = {}) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json" };
  if (token) headers.Authorization = `Bearer ${token}`;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  if (key) headers["Idempotency-Key"] = key;
  if (version !== undefined) headers["If-Match"] = `"v${version}"`;
  const init = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
  const { reply, text } = await reach(path, init, method === "GET" ? READING : [PATIENCE]);
  const answer = parse(text);
  if (!reply.ok) throw new Refusal(reply.status, answer);
  if (text && answer === undefined) throw new Refusal(0); // a network's login page in place of the server's answer
  return answer;
}

/** @param {string} path @param {RequestInit} init @param {number[]} patience of each attempt */
async function reach(path, init, [patience, ...more]) {
  const stop = new AbortController();
  let begun = false;
  AbortSignal.timeout(patience).onabort = () => begun || stop.abort();
  AbortSignal.timeout(PATIENCE).onabort = () => stop.abort();
  try {
    const reply = await fetch(path, { ...init, signal: stop.signal });
    begun = true;
    return { reply, text: await reply.text() };
  } catch {
    if (!stop.signal.aborted || begun || !more.length) throw new Refusal(0);
    return reach(path, init, more);
  }
}

const PAGE = 500;

/**
 * Reads a list page by page.
 * @param {string} path with a query @param {string} name the list's, in the answers @param {(item: any) => void} take
 * @param {() => void} [turned] called after each page
 */
export async function all(path, name, take, turned) {
  let next = "";
  do {
    const page = await call("GET", `${path}&page_size=${PAGE}${next && `&page_token=${encodeURIComponent(next)}`}`.replace("?&", "?"));
    for (const item of page[name]) take(item);
    turned?.();
    next = page.next_page_token ?? "";
  } while (next);
}

/** @param {string} text */
function parse(text) {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
