import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { speak, t } from "../../../web/i18n/index.js";

const web = path.join(import.meta.dirname, "../../../web");
const sources = walk(web);
const [en, ru] = await Promise.all(["en", "ru"].map(textsIn));

/** All texts of a language, those of the rooms too. @param {string} lang */
async function textsIn(lang) {
  const folder = path.join(web, "i18n");
  const files = readdirSync(folder, { recursive: true }).filter(name => path.basename(name) === `${lang}.js`);
  return Object.assign({}, ...(await Promise.all(files.map(async name => (await import(path.join(folder, name))).texts))));
}

/** The pages' own modules; the gallery is for developers and keeps its words. */
function walk(dir) {
  return readdirSync(dir, { withFileTypes: true }).flatMap(entry => {
    const full = path.join(dir, entry.name);
    if (entry.isDirectory()) return ["vendor", "gallery", "i18n"].includes(entry.name) ? [] : walk(full);
    return entry.name.endsWith(".js") ? [full] : [];
  });
}

const names = text => [...(typeof text === "string" ? text : Object.values(text).join(" ")).matchAll(/\{(\w+)\}/g)].map(m => m[1]);

test("no text is missing in one language, and both fill in the same values", () => {
  assert.deepEqual(Object.keys(ru).sort(), Object.keys(en).sort());
  for (const key of Object.keys(en)) assert.deepEqual([...new Set(names(ru[key]))].sort(), [...new Set(names(en[key]))].sort(), key);
  for (const text of Object.values(ru)) if (typeof text === "object") assert.ok(text.one && text.few && text.other, JSON.stringify(text));
});

test("every text that a page asks for is there, and none is kept for nobody", () => {
  const code = sources.map(f => readFileSync(f, "utf8")).join("\n");
  const asked = [...code.matchAll(/\bt\(\s*"([\w.]+)"/g)].map(m => m[1]);
  assert.deepEqual(
    asked.filter(key => !(key in en)),
    [],
  );
  const named = [...code.matchAll(/<\$\{Alone\}[^>]* name="([a-z_]+)"/g)].map(m => `${m[1]}.`);
  const begun = [...code.matchAll(/`([a-z_]+\.)\$\{|"([a-z_]+\.)" \+/g)].map(m => m[1] ?? m[2]).concat(named);
  const unused = Object.keys(en).filter(key => !code.includes(`"${key}"`) && !begun.some(b => key.startsWith(b)));
  assert.deepEqual(unused, []);
});

test("pages hold no words of their own", () => {
  for (const file of sources) {
    for (const markup of templates(readFileSync(file, "utf8"))) {
      const labels = markup.match(/(?:aria-label|title|placeholder|alt|label)="[^"]*\p{L}{2,}/gu) ?? [];
      const words = markup.replace(/<[^>]*>/g, " ").match(/\p{L}{2,}/gu) ?? [];
      assert.deepEqual([...words, ...labels], [], path.relative(web, file));
    }
  }
});

/** The markup of html`…` in a module, also of those inside others, without what is computed. */
function templates(source) {
  const code = source.replace(/\/\*[\s\S]*?\*\/|^\s*\/\/.*$/gm, "");
  const found = [];
  const stack = [{ depth: 0 }];
  for (let i = 0; i < code.length; i++) {
    const top = stack.at(-1);
    if (top.markup !== undefined) {
      if (code[i] === "`") found.push(stack.pop());
      else if (code.startsWith("${", i)) {
        stack.push({ depth: 0 });
        i++;
      } else top.markup += code[i];
    } else if (code[i] === '"') i = code.indexOf('"', i + 1);
    else if (code[i] === "`") stack.push({ markup: "", words: code.slice(0, i).endsWith("html") });
    else if (code[i] === "{") top.depth++;
    else if (code[i] === "}" && top.depth-- === 0) stack.pop();
  }
  return found.filter(f => f.words).map(f => f.markup);
}

test("plural forms and values", () => {
  speak("ru", ru);
  assert.deepEqual(
    [1, 2, 5, 21].map(n => t("rating.stars", { n })),
    ["1 звезда", "2 звезды", "5 звёзд", "21 звезда"],
  );
  speak("en", en);
  assert.equal(t("rating.stars", { n: 1 }), "1 star");
  assert.equal(t("no.such.key"), "no.such.key");
});
