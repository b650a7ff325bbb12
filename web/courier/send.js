// The sender of the queue, in the page or, where there is Background Sync, in the service
// worker. Entries of one order are sent one after the other; what the server refuses is kept
// with the reason and holds nothing up.
import { all, kept, putNewer, within } from "./db.js";

/**
 * Something the courier did.
 * @typedef {object} Entry
 * @property {number} [seq]
 * @property {string} who   the courier: another one on the same phone doesn't send it
 * @property {string} lane  what has to arrive in order, such as an order
 * @property {"step"|"proof"|"incident"|"duty"} kind
 * @property {string} method
 * @property {string} path
 * @property {any} body
 * @property {Record<string, Blob>} [files] of the form that is sent instead of JSON
 * @property {string} key   the idempotency key
 * @property {string} at    the phone's time
 * @property {string} [order]
 * @property {string} [number] the order's
 * @property {Refused} [refused]
 *
 * @typedef {{status: number, code: string, problem: any, at: string}} Refused
 * @typedef {{kind: "done"|"refused"|"later"|"out", status: number, body?: any, wait?: number}} Answer
 */

const PATIENCE = 30_000; // milliseconds for a photo over a bad network
const FIXES = 500; // positions a request

/** One sender a phone, whatever tabs and workers there are. */
export const LOCK = "courier-outbox";

/**
 * Sends everything that waits.
 * @param {(entry: Entry, answer: Answer) => void} tell what became of an entry
 * @returns {Promise<{left: boolean, out?: boolean, wait?: number}>} whether something has to be sent later
 */
export async function send(tell) {
  const who = await kept("who");
  const held = new Set();
  const outcome = { left: false, out: false, wait: 0 };
  /** @param {Answer} answer */
  const later = answer => {
    outcome.left = true;
    outcome.out ||= answer.kind === "out";
    outcome.wait = Math.max(outcome.wait, answer.wait ?? 0);
    return answer.kind === "out" || answer.status === 0; // nothing else would arrive
  };
  for (;;) {
    const entry = /** @type {Entry[]} */ (await all("queue")).find(e => e.who === who && !e.refused && !held.has(e.lane));
    if (!entry) break;
    const answer = await post(entry);
    if (answer.kind === "later" || answer.kind === "out") {
      held.add(entry.lane);
      if (later(answer)) return outcome;
      continue;
    }
    await settle(entry, answer);
    tell(entry, answer);
  }
  await sendFixes(who, later);
  return outcome;
}

/** @param {Entry} entry @param {Answer} answer */
const settle = (entry, { kind, status, body }) =>
  within(["queue", "orders"], "readwrite", at => {
    if (kind === "refused")
      return at("queue").put({ ...entry, refused: { status, code: body?.code ?? "", problem: body ?? {}, at: new Date().toISOString() } });
    if (body?.id && body.version && body.status) putNewer(at("orders"), [body]);
    return at("queue").delete(Number(entry.seq));
  });

/** @param {string} who @param {(answer: Answer) => boolean} later */
async function sendFixes(who, later) {
  for (;;) {
    const fixes = (await all("fixes", FIXES)).filter(f => f.who === who);
    if (!fixes.length) return;
    const [first, last] = [fixes[0].seq, fixes[fixes.length - 1].seq];
    const body = fixes.map(({ seq, who: _, ...fix }) => fix);
    // The same positions have the same key however often they are sent.
    const answer = await post({ method: "POST", path: `/courier/${who}/location`, body, key: `${who}.${fixes[0].recorded_at}.${first}-${last}` });
    if (answer.kind === "later" || answer.kind === "out") {
      later(answer);
      return;
    }
    await within(["fixes"], "readwrite", at => at("fixes").delete(IDBKeyRange.bound(first, last)));
  }
}

/** @param {Pick<Entry, "method"|"path"|"body"|"key"|"files">} entry @returns {Promise<Answer>} */
async function post({ method, path, body, key, files }) {
  /** @type {Record<string, string>} */
  const headers = { Accept: "application/json", "Idempotency-Key": key, "Device-Time": new Date().toISOString() };
  if (!files) headers["Content-Type"] = "application/json";
  try {
    const reply = await fetch(path, { method, headers, body: files ? form(body, files) : JSON.stringify(body), signal: AbortSignal.timeout(PATIENCE) });
    return judge(reply.status, parse(await reply.text()), Number(reply.headers.get("Retry-After") ?? 0));
  } catch {
    return { kind: "later", status: 0 };
  }
}

/** @param {Record<string, any>} body @param {Record<string, Blob>} files */
function form(body, files) {
  const out = new FormData();
  for (const [name, value] of Object.entries(body)) out.append(name, String(value));
  for (const [name, file] of Object.entries(files)) out.append(name, file, name);
  return out;
}

/**
 * What became of an entry. Only the server's own answers are final: a network that wants a login first answers 200 with
 * a page, and proxies answer 403 and 404 too. But what is too large for a proxy stays so.
 * @param {number} status @param {any} body undefined if it is not JSON @param {number} seconds of Retry-After
 * @returns {Answer}
 */
export function judge(status, body, seconds) {
  const ours = status === 413 || (status < 300 ? status === 204 || body !== undefined : Boolean(body?.code));
  if (!ours) return { kind: "later", status: status < 300 ? 0 : status };
  if (status < 300) return { kind: "done", status, body };
  if (status === 401) return { kind: "out", status };
  const busy = body?.code === "idempotency_in_progress"; // the first attempt, whose answer was lost, is still at work
  if (busy || status >= 500 || [408, 425, 429].includes(status)) return { kind: "later", status, wait: 1000 * seconds };
  return { kind: "refused", status, body };
}

/** @param {string} text */
function parse(text) {
  try {
    return text ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
