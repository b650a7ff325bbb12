import { t } from "../../i18n/index.js";
import { html } from "../../vendor/preact.js";
import { BrandFields, ShowCourier } from "./fields.js";
import { Bound, Form, Picked } from "./form.js";
import { useResource } from "./resource.js";

/** @typedef {{board: import("../board.js").Board}} Props */

/** @param {Props} props */
export function Brand({ board }) {
  const of = useResource(board, "/settings");
  return html`<${Form} of=${of} title=${t("tab.brand")} about=${t("brand.about")}><${BrandFields} of=${of} /><//>`;
}

/** @param {Props} props */
export function Privacy({ board }) {
  const of = useResource(board, "/settings");
  return html`<${Form} of=${of} title=${t("tab.privacy")} about=${t("privacy.about")}><${ShowCourier} of=${of} /><//>`;
}

const modes = ["manual", "suggest", "assign", "offer"];
const endings = ["widen", "assign", "alert"];

/** @param {Props} props */
export function Dispatch({ board }) {
  const of = useResource(board, "/settings");
  const mode = of.get("/dispatch/mode");
  return html`
    <${Form} of=${of} title=${t("tab.dispatch")}>
      <${Picked} of=${of} at="/dispatch/mode" options=${modes.map(m => [m, t(`mode.${m}`)])} hint=${mode && t(`mode.${mode}.about`)} />
      <${Bound} of=${of} at="/dispatch/bundle" type="number" />
      <${Bound} of=${of} at="/dispatch/offer_for_s" type="number" />
      <${Bound} of=${of} at="/dispatch/offer_total_s" type="number" />
      <${Bound} of=${of} at="/dispatch/offer_at_once" type="number" />
      <${Picked} of=${of} at="/dispatch/on_no_taker" options=${endings.map(e => [e, t(`no_taker.${e}`)])} />
    <//>
  `;
}

/** @param {Props} props */
export function Retention({ board }) {
  const of = useResource(board, "/settings");
  return html`
    <${Form} of=${of} title=${t("tab.retention")} about=${t("retention.about")}>
      <${Bound} of=${of} at="/retention/positions_days" type="number" />
      <${Bound} of=${of} at="/retention/personal_days" type="number" hint=${t("retention.ever")} />
    <//>
  `;
}
