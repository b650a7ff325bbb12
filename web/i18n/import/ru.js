/** @type {Record<string, import("../index.js").Text>} */
export const texts = {
  "import.about": "CSV с колонками как при экспорте или NDJSON. Строки, которые уже есть, не меняются.",
  "import.file": "Файл",
  "import.send": "Импортировать",
  "import.counts": "Прочитано строк: {read}. Новых: {created}, известных: {known}, с ошибками: {failed}",
  "import.refused": { one: "{n} строка с ошибкой", few: "{n} строки с ошибками", many: "{n} строк с ошибками", other: "{n} строки с ошибками" },
  "import.line": "Строка {n}",
  "import.save": "Сохранить список",
  "import.stopped": "Импорт прервался. Отправьте файл ещё раз: что уже загружено, останется.",
};
