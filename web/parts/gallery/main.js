// Every part in every state, in both themes: a page for developers. Its texts are no
// customer's and stay here.
import { start } from "../../start.js";
import { html, useState } from "../../vendor/preact.js";
import { Toasts } from "../toast.js";
import { Actions } from "./actions.js";
import { Looks } from "./looks.js";
import { Places } from "./places.js";

/** @param {{boot: import("../../start.js").Boot}} props */
function Gallery({ boot }) {
  const [now] = useState(() => Date.parse(boot.now));
  const sheets = ["light", "dark"];
  return html`
    <main class="gallery">
      <h1>Parts</h1>
      <div class="gallery-themes">
        ${sheets.map(
          theme => html`
            <section class=${`gallery-theme ${theme}`} aria-label=${theme}>
              <${Looks} now=${now} /><${Actions} theme=${theme} /><${Places} boot=${boot} theme=${theme} />
            </section>
          `,
        )}
      </div>
      <${Toasts} />
    </main>
  `;
}

start(boot => html`<${Gallery} boot=${boot} />`);
