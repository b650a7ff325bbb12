// The customer's page: one order, by its link.
import { start } from "../start.js";
import { html } from "../vendor/preact.js";
import { Page } from "./page.js";
import { Store } from "./store.js";

start(boot => {
  const store = boot.order_id ? new Store(boot) : undefined;
  store?.start();
  return html`<${Page} boot=${boot} store=${store} />`;
});
