import { call } from "../api.js";
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { html, useEffect, useId, useLayoutEffect, useRef, useState } from "../vendor/preact.js";

/** @typedef {import("#api").components["schemas"]["Spot"]} Spot */

/**
 * An address. Where the installation has a geocoder, Enter looks it up and the arrows choose what was found; what is
 * written by hand is as good.
 * @param {{label: string, value: string, limit: number, error?: string, hint: string, onInput: (value: string) => void, onPick: (spot: Spot) => void}} props
 */
export function AddressField({ label, value, limit, error, hint, onInput, onPick }) {
  const id = useId();
  const { able, spots, busy, note, find, forget } = useSpots(value);
  const [at, setAt] = useState(0);
  const field = useRef(/** @type {HTMLInputElement | null} */ (null));
  useLayoutEffect(() => setAt(0), [spots]);
  const pick = (/** @type {Spot} */ spot) => {
    forget(spot.address);
    onPick(spot);
    field.current?.focus();
  };
  const pressed = (/** @type {KeyboardEvent} */ e) => {
    const n = spots?.length ?? 0;
    if (e.key === "Escape" && spots) forget(value);
    else if (n && (e.key === "ArrowDown" || e.key === "ArrowUp")) setAt((at + (e.key === "ArrowDown" ? 1 : n - 1)) % n);
    else if (n && e.key === "Enter") pick(/** @type {Spot[]} */ (spots)[at]);
    else if (!(e.key === "Enter" || e.key === "ArrowDown") || !find(field.current?.value)) return;
    e.preventDefault();
    e.stopPropagation();
  };
  const said = error ?? note ?? (able ? `${hint} ${t("address.hint")}` : hint);
  const list = able && { role: "combobox", "aria-expanded": String(Boolean(spots?.length)), "aria-controls": `${id}-list`, "aria-autocomplete": "list" };
  return html`
    <div class="field address" onFocusOut=${(/** @type {any} */ e) => !e.currentTarget.contains(e.relatedTarget) && spots && forget(value)}>
      <label for=${id}>${label}</label>
      <div class="address-line">
        <input id=${id} ref=${field} value=${value} maxlength=${limit} autocomplete="off" aria-invalid=${error ? "true" : undefined} aria-describedby=${`${id}-said`}
          ...${list} aria-activedescendant=${spots?.length ? `${id}-${at}` : undefined} onKeyDown=${pressed} onInput=${(/** @type {any} */ e) => onInput(e.target.value)} />
        ${able && html`<${Button} icon="search" label=${t("address.find")} busy=${busy} onClick=${() => find(value)} />`}
      </div>
      ${
        able &&
        html`<ul id=${`${id}-list`} class="address-list" role="listbox" aria-label=${t("address.found")} hidden=${!spots?.length}>
        ${spots?.map(
          (spot, i) => html`
            <li id=${`${id}-${i}`} role="option" aria-selected=${String(i === at)} onMouseDown=${(/** @type {Event} */ e) => e.preventDefault()} onClick=${() => pick(spot)}>
              <span dir="auto">${spot.address}</span>${spot.quality !== "house" && html`<span class="quiet small">${t(`address.${spot.quality}`)}</span>`}</li>
          `,
        )}
      </ul>`
      }
      <p id=${`${id}-said`} role="status" class=${error ? "field-error" : "field-hint"}>${said}</p>
    </div>
  `;
}

/** Looks addresses up; an answer to what is no longer there is dropped. @param {string} value */
function useSpots(value) {
  const [able, setAble] = useState(false);
  const [spots, setSpots] = useState(/** @type {Spot[] | undefined} */ (undefined));
  const [busy, setBusy] = useState(false);
  const [note, setNote] = useState(/** @type {string | undefined} */ (undefined));
  const asked = useRef(""); // what was looked up, or picked, last
  const ask = (/** @type {string} */ query) => call("GET", `/places${query}`);
  useEffect(() => {
    ask("").then(
      told => setAble(told.configured),
      () => {}, // addresses are free text
    );
  }, []);
  const forget = (/** @type {string} */ text) => {
    asked.current = text.trim();
    setSpots(undefined);
    setNote(undefined);
    setBusy(false);
  };
  useEffect(() => {
    if (value.trim() !== asked.current) forget("");
  }, [value]);
  /** Whether there is something to look up. @param {string} [written] may be ahead of what was drawn */
  const find = (written = "") => {
    const text = written.trim();
    if (!able || busy || !text || text === asked.current) return false;
    forget(text);
    setBusy(true);
    const current = (/** @type {() => void} */ then) => {
      if (asked.current !== text) return;
      setBusy(false);
      then();
    };
    ask(`?q=${encodeURIComponent(text)}`).then(
      told => current(() => (told.places.length ? setSpots(told.places) : setNote(t("address.none")))),
      () => current(() => setNote(t("address.away"))),
    );
    return true;
  };
  return { able, spots, busy, note, find, forget };
}
