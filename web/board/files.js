/** Hands a file to the reader. @param {string} name @param {string} type @param {string} content */
export function saveAs(name, type, content) {
  const link = Object.assign(document.createElement("a"), { href: URL.createObjectURL(new Blob([content], { type })), download: name });
  link.click();
  URL.revokeObjectURL(link.href);
}
