/** @type {Record<string, import("../index.js").Text>} */
export const texts = {
  "import.about": "CSV with the columns of an export, or NDJSON. Rows that are there already are left alone.",
  "import.file": "File",
  "import.send": "Import",
  "import.counts": "{read} rows read: {created} new, {known} known, {failed} refused",
  "import.refused": { one: "{n} row was refused", other: "{n} rows were refused" },
  "import.line": "Line {n}",
  "import.save": "Save the list",
  "import.stopped": "The import stopped. Send the file again: what is there stays.",
};
