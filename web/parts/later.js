import { html, useEffect, useState } from "../vendor/preact.js";

/** Components that a page loaded before its first view, by name: nothing moves for them later. @type {Record<string, any>} */
export const early = {};

/**
 * A lazily loaded component, shown once its module is loaded.
 * @param {{load: () => Promise<any>, part: string, failed?: () => void, [more: string]: any}} props part is the module's
 *   export; without failed the page is complete without it
 */
export function Later({ load, part, failed, ...props }) {
  const [found, setFound] = useState(() => early[part]);
  useEffect(() => {
    if (found) return;
    let gone = false;
    load().then(
      module => gone || setFound(() => module[part]),
      () => gone || failed?.(),
    );
    return () => {
      gone = true;
    };
  }, []);
  return found && html`<${found} ...${props} />`;
}
