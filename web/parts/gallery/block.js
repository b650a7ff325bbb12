import { html } from "../../vendor/preact.js";

/** @param {{title: string, children?: any}} props */
export const Block = ({ title, children }) => html`<section class="gallery-block"><h2 class="tiny quiet">${title}</h2>${children}</section>`;
