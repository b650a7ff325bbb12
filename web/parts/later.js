import { html, useEffect, useState } from "../vendor/preact.js";

/**
 * A lazily loaded component, shown once its module is loaded.
 * @param {{load: () => Promise<any>, part: string, [more: string]: any}} props part is the module's export
 */
export function Later({ load, part, ...props }) {
  const [found, setFound] = useState(/** @type {any} */ (undefined));
  useEffect(() => {
    let gone = false;
    load().then(
      module => gone || setFound(() => module[part]),
      () => {}, // the page is complete without it
    );
    return () => {
      gone = true;
    };
  }, []);
  return found && html`<${found} ...${props} />`;
}
