import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { html, useState } from "../vendor/preact.js";
import { saveAs } from "./files.js";

const SHOWN = 200; // refused rows on the page; all are in the file

/** @typedef {{line: number, text: string}} Refused */

/**
 * Reads the answer of an import, which is a line for each refused row and a count now and then.
 * @param {ReadableStream<Uint8Array>} body @param {(line: any) => void} take
 */
export async function readLines(body, take) {
  const reader = body.pipeThrough(/** @type {any} */ (new TextDecoderStream())).getReader();
  let rest = "";
  for (;;) {
    const { done, value = "" } = await reader.read();
    const lines = (rest + value).split("\n");
    rest = done ? "" : (lines.pop() ?? "");
    for (const line of lines) if (line) take(JSON.parse(line));
    if (done) return;
  }
}

/** Why a row was refused. @param {any} error */
const why = error => [error.errors?.map((/** @type {any} */ f) => `${f.pointer} ${f.detail}`).join("; "), error.detail].find(Boolean) ?? error.code;

/** Imports orders from a CSV or NDJSON file, with a line for each row that is refused. @param {import("./app.js").Props} props */
export function Import({ board, commands }) {
  const [file, setFile] = useState(/** @type {File | undefined} */ (undefined));
  const [counts, setCounts] = useState(/** @type {any} */ (undefined));
  const [refused, setRefused] = useState(/** @type {Refused[]} */ ([]));
  const [fault, setFault] = useState("");
  const [busy, setBusy] = useState(false);
  const pick = (/** @type {any} */ e) => {
    setFile(e.target.files[0]);
    setCounts(undefined);
    setRefused([]);
    setFault("");
  };
  const send = async () => {
    if (!file) return;
    pick({ target: { files: [file] } });
    setBusy(true);
    /** @type {any} */
    let last;
    try {
      const type = /\.(nd)?jsonl?$/i.test(file.name) ? "application/x-ndjson" : "text/csv";
      const reply = await fetch("/orders/import", {
        method: "POST",
        headers: { "Content-Type": type, "Idempotency-Key": `${file.size}-${file.lastModified}-${encodeURIComponent(file.name).slice(0, 60)}` },
        body: file,
      });
      if (!reply.ok || !reply.body) throw new Error(why(await reply.json()));
      await readLines(reply.body, line => {
        last = line;
        if (line.read !== undefined) setCounts(line);
        else if (line.line !== undefined) setRefused(was => [...was, { line: line.line, text: why(line.error) }]);
      });
      if (!last?.finished) throw new Error(last?.error ? why(last.error) : t("import.stopped"));
    } catch (/** @type {any} */ reason) {
      setFault(reason instanceof TypeError ? t("import.stopped") : reason.message);
    }
    setBusy(false);
    board.load();
  };
  const close = () => (commands.importing.value = false);
  return html`
    <${Dialog} open=${commands.importing.value} side title=${t("command.import")} onClose=${close}
      actions=${html`<${Button} onClick=${close}>${t("close")}<//><${Button} kind="main" busy=${busy} disabled=${!file} onClick=${send}>${t("import.send")}<//>`}>
      <div class="form">
        <p class="small">${t("import.about")}</p>
        <label class="field"><span class="strong small">${t("import.file")}</span><input type="file" accept=".csv,.ndjson,.jsonl,text/csv" onChange=${pick} /></label>
        <div role="status">
          ${busy && html`<progress class="meter"></progress>`}
          ${counts && html`<p class="num">${t("import.counts", { read: counts.read, created: counts.created, known: counts.known, failed: counts.failed })}</p>`}
          ${fault && html`<p class="field-error">${fault}</p>`}
        </div>
        ${
          refused.length > 0 &&
          html`
            <h3>${t("import.refused", { n: refused.length })}</h3>
            <ul class="settings-list refused">${refused.slice(0, SHOWN).map(r => html`<li><span class="num quiet">${t("import.line", { n: r.line })}</span><span>${r.text}</span></li>`)}</ul>
            <${Button} icon="copy" onClick=${() => saveAs("refused.txt", "text/plain", refused.map(r => `${r.line}\t${r.text}\n`).join(""))}>${t("import.save")}<//>
          `
        }
      </div>
    <//>
  `;
}
