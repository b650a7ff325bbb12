// Makes web/vendor from the packages that package-lock.json pins: one minified ES module a
// need, without bare names, and the licences of all that went into them.
//
//	node vendor.mjs NODE_MODULES WEB [--check]
//
// With --check it writes nothing and fails when a file is not what it would write.
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const [modules, web, check] = [path.resolve(process.argv[2]), path.resolve(process.argv[3]), process.argv[4] === "--check"];
const require = createRequire(`${modules}/`);
const esbuild = require("esbuild");
const entries = path.join(import.meta.dirname, "entries");

// Leaflet asks whether SVG works by writing markup, which Trusted Types refuse. It works in
// every browser that knows ES modules.
const trusted = {
  name: "trusted-types",
  setup(build) {
    build.onLoad({ filter: /leaflet-src\.esm\.js$/ }, args => {
      const source = readFileSync(args.path, "utf8");
      const probe = /var inlineSvg = !!svg\$1 && \(function \(\) \{[\s\S]*?\}\)\(\);/g;
      if (source.match(probe)?.length !== 1) throw new Error("Leaflet changed: look at its inlineSvg again");
      return { contents: source.replace(probe, "var inlineSvg = !!svg$1;"), loader: "js" };
    });
  },
};

// The modules of one page import each other by relative paths.
const siblings = {
  name: "siblings",
  setup(build) {
    build.onResolve({ filter: /^leaflet$/ }, () => ({ path: "./leaflet.js", external: true }));
  },
};

// What the pages never reach: ready-made styles (theirs are made of tokens.css), and unpacking
// for browsers without DecompressionStream, in which nothing else of the pages would work.
const unreached = {
  name: "unreached",
  setup(build) {
    build.onResolve({ filter: /^(@protomaps\/basemaps|fflate)$/ }, args => ({ path: args.path, namespace: "unreached" }));
    build.onLoad({ filter: /.*/, namespace: "unreached" }, args => ({
      contents: ["namedFlavor", "language_script_pairs", "get_multiline_name", "get_country_name", "decompressSync"]
        .map(name => `export const ${name} = () => { throw new Error(${JSON.stringify(`${args.path} is not part of the pages`)}); };`)
        .join("\n"),
    }));
  },
};

async function bundle(name, options = {}) {
  const result = await esbuild.build({
    entryPoints: [path.join(entries, `${name}.js`)],
    bundle: true,
    write: false,
    minify: true,
    metafile: true,
    format: "esm",
    target: "es2022",
    legalComments: "none",
    nodePaths: [modules],
    absWorkingDir: path.dirname(modules),
    plugins: [trusted, siblings, unreached],
    ...options,
  });
  return { code: result.outputFiles[0].text, inputs: Object.keys(result.metafile.inputs) };
}

/** The packages that files are of, by name. */
function packagesOf(files) {
  const found = new Map();
  for (const file of files) {
    const inside = file.match(/^(.*node_modules\/((?:@[^/]+\/)?[^/]+))\//);
    if (!inside) continue;
    const dir = path.resolve(path.dirname(modules), inside[1]);
    const { version, license } = JSON.parse(readFileSync(path.join(dir, "package.json"), "utf8"));
    found.set(inside[2], { version, license, text: licenceText(dir) });
  }
  return new Map([...found].sort(([a], [b]) => (a < b ? -1 : 1)));
}

function licenceText(dir) {
  const name = readdirSync(dir).find(f => /^licen[cs]e(\.(md|txt))?$/i.test(f));
  return name ? readFileSync(path.join(dir, name), "utf8").replaceAll("\r\n", "\n").trim() : "";
}

/** Packages that name the licence of a sister and do not bring its text: the same authors, the same words. */
const sisters = { "@protomaps/basemaps": "protomaps-leaflet", pmtiles: "protomaps-leaflet" };

const files = new Map();
const inputs = ["node_modules/leaflet/dist/leaflet.css", "node_modules/uplot/dist/uPlot.min.css"];
for (const [name, options] of [["preact"], ["leaflet"], ["uplot"], ["protomaps", { inject: [path.join(entries, "leaflet-global.js")] }]]) {
  const { code, inputs: used } = await bundle(name, options);
  const made = [...packagesOf(used)].map(([n, p]) => `${n} ${p.version}`).join(", ");
  files.set(`${name}.js`, `// ${made}. Licences: licences.txt. Made by scripts/web.sh vendor.\n${code}`);
  inputs.push(...used);
}
for (const [name, source] of [
  ["leaflet.css", "leaflet/dist/leaflet.css"],
  ["uplot.css", "uplot/dist/uPlot.min.css"],
]) {
  const css = await esbuild.transform(readFileSync(path.join(modules, source), "utf8"), { loader: "css", minify: true });
  files.set(name, `/* ${source}. Licences: licences.txt. Made by scripts/web.sh vendor. */\n${css.code.replace(/[^{}]*\{[^{}]*url\(images[^{}]*\}/g, "")}`);
}
const packages = packagesOf(inputs);
for (const [name, p] of packages) p.text ||= packages.get(sisters[name])?.text ?? "";
const missing = [...packages].filter(([, p]) => !p.text);
if (missing.length) throw new Error(`no licence text: ${missing.map(([name]) => name)}`);
const rule = "=".repeat(80);
files.set(
  "licences.txt",
  `What the pages are made of, and under which licences. Made by scripts/web.sh vendor.\n\n${[...packages]
    .map(([name, p]) => `${rule}\n${name} ${p.version} (${p.license})\n${rule}\n\n${p.text}\n`)
    .join("\n")}`,
);
files.set(
  "../../docs/licences.md",
  `# Licences of what the pages are made of

The product is under the [MIT licence](../LICENSE). Its pages are served with these packages, pinned in \`tools/web/package-lock.json\`
and kept in \`web/vendor\`; \`/licences\` of a running server has the full texts ([licences.txt](../web/vendor/licences.txt)).
\`scripts/web.sh vendor\` makes this page and those files; CI makes them again and compares.

| package | version | licence |
| --- | --- | --- |
${[...packages].map(([name, p]) => `| ${name} | ${p.version} | ${p.license} |`).join("\n")}
`,
);

let stale = 0;
for (const [name, text] of files) {
  const to = path.join(web, "vendor", name);
  let there = "";
  try {
    there = readFileSync(to, "utf8");
  } catch {}
  if (there === text) continue;
  if (!check) writeFileSync(to, text);
  else {
    console.error(`${path.relative(path.dirname(web), to)} is not what scripts/web.sh vendor makes`);
    stale++;
  }
}
process.exit(stale ? 1 : 0);
