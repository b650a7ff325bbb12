import { Empty } from "../parts/notice.js";
import { html } from "../vendor/preact.js";

/** The operator's name and logo. @param {{brand: {name?: string, logo?: string}}} props */
export function Brand({ brand }) {
  if (!brand.name && !brand.logo) return null;
  return html`
    <header class="brand">
      ${brand.logo && html`<img src=${brand.logo} alt="" height="28" />`}
      ${brand.name && html`<span class="small strong">${brand.name}</span>`}
    </header>
  `;
}

/** A page with only a message. @param {{boot: import("../start.js").Boot, icon: string, title: string, text: string}} props */
export const Alone = ({ boot, icon, title, text }) => html`
  <div class="page mapless"><main class="sheet"><${Brand} brand=${boot.brand} /><${Empty} icon=${icon} title=${title}>${text}<//></main></div>
`;

/** The loading skeleton. @param {{boot: import("../start.js").Boot}} props */
export const Bones = ({ boot }) => html`
  <div class="page" aria-busy="true">
    <div class="place bare map"></div>
    <main class="sheet">
      <${Brand} brand=${boot.brand} />
      <section class="head">
        <div class="bone bone-headline"></div>
        <div class="bone bone-time"></div>
        <div class="bone bone-steps"></div>
      </section>
      <div class="card bone-card"></div>
      <div class="card bone-card"></div>
    </main>
  </div>
`;
