// Page startup: the server's data, the language and the accent colour.
import { speak } from "./i18n/index.js";
import { render } from "./vendor/preact.js";

/**
 * Data embedded in a page by the server.
 * @typedef {object} Boot
 * @property {string} lang
 * @property {{name?: string, logo?: string, accent?: string}} brand
 * @property {import("./parts/map/view.js").Base} map
 * @property {string} now the server's time
 * @property {string} [token]
 * @property {string} [order_id]
 * @property {string} [timezone]
 * @property {boolean} [login] whether there is an identity provider to sign in with
 * @property {string[]} [can] permitted actions besides viewing
 * @property {"ask"|"done"} [opt_out] it asks whether to end messages, or says that they ended
 * @property {object} [order] the customer's
 * @property {object} [track] of that order
 * @property {string} [call] the link by which customers and couriers call each other, with places to fill in
 */

/**
 * The link that calls the other side of an order, if there is one.
 * @param {string | undefined} template @param {{id: string, number: string}} order @param {"customer"|"courier"} from
 */
export const callLink = (template, order, from) =>
  template?.replaceAll("{order_id}", order.id).replaceAll("{number}", encodeURIComponent(order.number)).replaceAll("{from}", from);

/**
 * Starts a page: renders it from the server's data.
 * @param {(boot: Boot) => any} page or the promise of one @param {string} [own] a folder in i18n with the page's own texts
 * @param {string} [language] that the user chose, in place of the server's
 */
export async function start(page, own, language) {
  const boot = /** @type {Boot} */ (JSON.parse(document.body.dataset.boot ?? "{}"));
  if (language) boot.lang = document.documentElement.lang = language;
  const [common, more] = await Promise.all([import(`./i18n/${boot.lang}.js`), own && import(`./i18n/${own}/${boot.lang}.js`)]);
  speak(boot.lang, { ...common.texts, ...more?.texts });
  if (boot.brand.accent) await paint(boot.brand.accent);
  render(await page(boot), /** @type {HTMLElement} */ (document.getElementById("app")));
}

/** Sets the operator's accent. @param {string} accent */
async function paint(accent) {
  const { accents } = await import("./parts/color.js");
  const tokens = getComputedStyle(document.documentElement);
  const ground = (/** @type {string} */ theme) => tokens.getPropertyValue(`--accent-ground-${theme}`).trim();
  const found = accents(accent, { light: ground("light"), dark: ground("dark") });
  if (!found) return;
  document.documentElement.style.setProperty("--accent-light", found.light);
  document.documentElement.style.setProperty("--accent-dark", found.dark);
}
