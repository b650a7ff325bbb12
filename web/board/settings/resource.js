import { call, Refusal } from "../../api.js";
import { lang, t } from "../../i18n/index.js";
import { ago } from "../../parts/time.js";
import { say } from "../../parts/toast.js";
import { useEffect, useState } from "../../vendor/preact.js";
import { nameOf, whyNot } from "../actions.js";

/**
 * Something of the API that is edited in a form, by JSON pointers such as "/brand/name".
 * @typedef {object} Resource
 * @property {any} stored  undefined while it loads
 * @property {(pointer: string) => any} get
 * @property {(pointer: string, value: any) => void} set
 * @property {Record<string, string>} errors by pointer
 * @property {string} conflict who changed what meanwhile
 * @property {boolean} dirty
 * @property {boolean} busy
 * @property {() => Promise<boolean>} save
 * @property {() => void} discard
 * @property {(next: any) => void} take shows a newer version
 */

const quiet = new Set(["/version", "/updated_at"]);

/** The value at a pointer. @param {any} from @param {string} pointer */
export const read = (from, pointer) =>
  pointer
    .split("/")
    .slice(1)
    .reduce((value, name) => value?.[name], from);

/** An object with the values at their pointers. @param {Record<string, any>} edits @param {any} [into] */
export function built(edits, into = {}) {
  const whole = structuredClone(into);
  for (const [pointer, value] of Object.entries(edits)) {
    const names = pointer.split("/").slice(1);
    const last = /** @type {string} */ (names.pop());
    let at = whole;
    for (const name of names) at = at[name] ??= {};
    at[last] = value;
  }
  return whole;
}

/** The pointers at which two versions differ; lists count as one value. @param {any} was @param {any} is @param {string} [at] @returns {string[]} */
export function differences(was, is, at = "") {
  const nested = (/** @type {any} */ v) => v && typeof v === "object" && !Array.isArray(v);
  if (!nested(was) && !nested(is)) return JSON.stringify(was) === JSON.stringify(is) || quiet.has(at) ? [] : [at];
  return [...new Set([...Object.keys(was ?? {}), ...Object.keys(is ?? {})])].flatMap(name => differences(was?.[name], is?.[name], `${at}/${name}`));
}

/** A field's name for people. @param {string} pointer */
export const labelOf = pointer => t(`setting.${pointer.slice(1).replaceAll("/", ".")}`);

/**
 * Loads a resource and saves edits with the version that they were made on. What is edited lies over what is stored, so that
 * after a conflict the form shows what others wrote, and the edits on top of it.
 * @param {import("../board.js").Board} board @param {string} path
 * @param {{blank?: any, whole?: string[]}} [options] blank: shown when there is none yet; whole: the members that PUT replaces
 * @returns {Resource}
 */
export function useResource(board, path, { blank, whole } = {}) {
  const [stored, setStored] = useState(/** @type {any} */ (undefined));
  const [edits, setEdits] = useState(/** @type {Record<string, any>} */ ({}));
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const [conflict, setConflict] = useState("");
  const [busy, setBusy] = useState(false);
  const bad = (/** @type {unknown} */ reason) => void say(whyNot(reason, board), { kind: "bad" });
  // An answer that was long on its way must not hide a newer one.
  const take = (/** @type {any} */ told) => setStored((/** @type {any} */ now) => (now?.version > told.version ? now : told));
  const load = async () => {
    const told = await call("GET", path).catch(reason => {
      if (blank && reason instanceof Refusal && reason.status === 404) return blank;
      bad(reason);
    });
    if (told) take(told);
    return told;
  };
  const discard = () => {
    setEdits({});
    setErrors({});
    setConflict("");
  };
  useEffect(() => {
    setStored(undefined);
    discard();
    load();
  }, [path]);
  const refused = async (/** @type {unknown} */ reason) => {
    if (!(reason instanceof Refusal) || ![412, 422].includes(reason.status)) return bad(reason);
    if (reason.status === 412) return setConflict(told(reason.problem, stored, await load(), board));
    const faults = reason.problem.errors ?? [];
    setErrors(Object.fromEntries(faults.map((/** @type {any} */ f) => [f.pointer, f.detail])));
    if (!faults.some((/** @type {any} */ f) => f.pointer in edits)) bad(reason);
  };
  const save = async () => {
    setBusy(true);
    const body = whole ? built(edits, Object.fromEntries(whole.map(name => [name, stored[name]]))) : built(edits);
    try {
      take(await call(whole ? "PUT" : "PATCH", path, { body, version: stored.version, key: crypto.randomUUID() }));
      discard();
      say(t("done.saved"));
      return true;
    } catch (reason) {
      await refused(reason);
      return false;
    } finally {
      setBusy(false);
    }
  };
  return {
    stored,
    errors,
    conflict,
    busy,
    save,
    discard,
    take,
    dirty: Object.keys(edits).length > 0,
    get: pointer => (pointer in edits ? edits[pointer] : read(stored, pointer)),
    set: (pointer, value) => setEdits({ ...edits, [pointer]: value }),
  };
}

/** Who changed what, in a sentence. @param {any} problem @param {any} was @param {any} is @param {import("../board.js").Board} board */
function told({ changed_by, changed_at }, was, is, board) {
  const who = nameOf(changed_by, board) || t(`actor.${changed_by?.kind ?? "admin"}`);
  const what = [...new Set(differences(was, is).map(labelOf))].join(", ");
  return t("conflict.text", { who, what: what || t("conflict.something"), when: ago(Date.parse(changed_at ?? "") || board.clock(), board.clock(), { lang }) });
}
