import { learn } from "../i18n/index.js";
import { Later } from "../parts/later.js";
import { html } from "../vendor/preact.js";

/**
 * A part of the board that is loaded with its texts when it is shown first.
 * @param {() => Promise<any>} load @param {string} part the module's export @param {...string} texts folders in i18n
 */
export const room = (load, part, ...texts) => {
  const all = () => Promise.all([load(), ...texts.map(learn)]).then(([module]) => module);
  return (/** @type {any} */ props) => html`<${Later} load=${all} part=${part} ...${props} />`;
};
