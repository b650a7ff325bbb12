// Which share of the offers made to them couriers have accepted, over the last thirty days.
import { call } from "../api.js";
import { lang, t } from "../i18n/index.js";
import { signal } from "../vendor/preact.js";

/** @typedef {import("#api").components["schemas"]["DeliveryGroup"]} Group */

/** Groups that a report has at most. */
export const MOST = 500;
const FRESH = 5 * 60_000; // milliseconds that the answer is good for

/** By courier. */
const known = signal(/** @type {Map<string, Group>} */ (new Map()));
let asked = Number.NEGATIVE_INFINITY;

/** One question for all couriers. @param {import("./session.js").Session} session */
export async function loadAcceptance(session) {
  if (!session.staff || performance.now() - asked < FRESH) return;
  asked = performance.now();
  try {
    const { groups } = await call("GET", "/reports/deliveries?by=courier");
    known.value = new Map(groups.map((/** @type {Group} */ g) => [g.group, g]));
  } catch {
    asked = Number.NEGATIVE_INFINITY; // the list is complete without it
  }
}

/** The share, for people; empty without offers. @param {string} courier */
export const acceptance = courier => known.value.get(courier)?.acceptance?.toLocaleString(lang, { style: "percent", maximumFractionDigits: 0 }) ?? "";

/** The share, and of how many. @param {string} courier */
export function acceptanceOf(courier) {
  const { accepted = 0, declined = 0, expired = 0 } = known.value.get(courier) ?? {};
  const n = accepted + declined + expired;
  if (n) return t("courier.acceptance.of", { share: acceptance(courier), n });
  return known.value.size < MOST || known.value.has(courier) ? t("courier.acceptance.none") : t("courier.acceptance.more", { n: MOST });
}
