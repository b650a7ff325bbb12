import { lang, t } from "../i18n/index.js";
import { money } from "../parts/money.js";
import { html } from "../vendor/preact.js";

/** The ordered items, the pickup and the drop-off. @param {{order: import("./story.js").Order}} props */
export function Items({ order }) {
  const items = order.items ?? [];
  const due = order.payment?.due;
  return html`
    <section class="card">
      ${items.length > 0 && html`<h2>${t("items.title")}</h2>`}
      <ul class="items">
        ${items.map(
          item => html`
            <li>
              <span class="quiet num">${item.quantity}\u00a0×</span><span dir="auto">${item.name}</span>
              <span class="num">${item.price && money({ ...item.price, amount: item.price.amount * item.quantity }, lang)}</span>
            </li>
          `,
        )}
        ${order.total && html`<li class="total strong"><span></span><span>${t("items.total")}</span><span class="num">${money(order.total, lang)}</span></li>`}
        ${due && due.amount > 0 && html`<li class="strong"><span></span><span>${t("items.due")}</span><span class="num">${money(due, lang)}</span></li>`}
      </ul>
      <dl class="places">
        ${order.pickup?.address && html`<dt>${t("page.from")}</dt><dd dir="auto">${order.pickup.address}</dd>`}
        ${order.dropoff.address && html`<dt>${t("page.to")}</dt><dd dir="auto">${order.dropoff.address}</dd>`}
      </dl>
    </section>
  `;
}
