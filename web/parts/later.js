import { html, useEffect, useState } from "../vendor/preact.js";

/**
 * A part that the page can begin without, shown when its module is there.
 * @param {{load: () => Promise<any>, part: string, [more: string]: any}} props part is what the module calls it
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
