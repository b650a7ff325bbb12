// The page's language: texts by key from ./en.js or ./ru.js, plural forms by Intl.

/** @typedef {string | Partial<Record<Intl.LDMLPluralRule, string>>} Text plain, or by plural form of {n} */

/** @type {Record<string, Text>} */
let table = {};
/** @type {Intl.PluralRules} */
let plurals = new Intl.PluralRules("en");

/** The page's language, BCP 47. */
export let lang = "en";

/** Chooses the language. @param {string} code @param {Record<string, Text>} texts */
export function speak(code, texts) {
  lang = code;
  table = texts;
  plurals = new Intl.PluralRules(code);
}

/** Adds the texts of a part of a page that is loaded later. @param {string} folder in i18n */
export async function learn(folder) {
  const more = await import(`./${folder}/${lang}.js`);
  table = { ...table, ...more.texts };
}

/** Whether there is a text of that key. @param {string} key */
export const has = key => key in table;

/**
 * The text of a key, with {names} replaced; of a text with plural forms, the one for n.
 * @param {string} key @param {Record<string, string | number>} [values]
 */
export function t(key, values = {}) {
  const found = table[key];
  if (found === undefined) return key;
  const text = typeof found === "string" ? found : (found[plurals.select(Number(values.n))] ?? found.other ?? key);
  return text.replace(/\{(\w+)\}/g, (whole, name) => (name in values ? format(values[name]) : whole));
}

/** @param {string | number} value */
const format = value => (typeof value === "number" ? value.toLocaleString(lang) : value);
