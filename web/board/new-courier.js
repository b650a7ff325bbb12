import { call, Refusal } from "../api.js";
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { say } from "../parts/toast.js";
import { html, useState } from "../vendor/preact.js";
import { whyNot } from "./actions.js";
import { go } from "./route.js";

export const vehicles = ["foot", "bicycle", "motorbike", "car", "van"];

/** Adds a courier and opens the drawer, where the phone is connected. @param {{open: boolean, close: () => void, board: import("./board.js").Board}} props */
export function NewCourier({ open, close, board }) {
  const [name, setName] = useState("");
  const [phone, setPhone] = useState("");
  const [vehicle, setVehicle] = useState("bicycle");
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const save = async () => {
    try {
      const made = await call("POST", "/couriers", { body: { name, vehicle, ...(phone && { phone }) }, key: crypto.randomUUID() });
      board.meet(made);
      board.redraw();
      setName("");
      setPhone("");
      setErrors({});
      close();
      go({ courier: made.id });
    } catch (reason) {
      const faults = reason instanceof Refusal ? (reason.problem.errors ?? []) : [];
      setErrors(Object.fromEntries(faults.map((/** @type {any} */ f) => [f.pointer, f.detail])));
      if (!faults.length) say(whyNot(reason, board), { kind: "bad" });
    }
  };
  return html`
    <${Dialog} open=${open} title=${t("couriers.add")} onClose=${close}
      actions=${html`<${Button} onClick=${close}>${t("keep.closed")}<//><${Button} kind="main" onClick=${save}>${t("save")}<//>`}>
      <form class="form" onSubmit=${(/** @type {Event} */ e) => {
        e.preventDefault();
        save();
      }}>
        <${Field} label=${t("courier.name")} value=${name} onInput=${setName} limit=${200} error=${errors["/name"]} />
        <${Field} label=${t("fact.phone")} value=${phone} onInput=${setPhone} type="tel" error=${errors["/phone"]} />
        <${Vehicle} value=${vehicle} onPick=${setVehicle} />
        <button type="submit" hidden></button>
      </form>
    <//>
  `;
}

/** @param {{value: string, onPick: (vehicle: string) => void}} props */
export const Vehicle = ({ value, onPick }) => html`
  <label class="field"><span class="strong small">${t("courier.vehicle")}</span>
    <select class="choice" value=${value} onChange=${(/** @type {any} */ e) => onPick(e.target.value)}>${vehicles.map(v => html`<option value=${v}>${t(`vehicle.${v}`)}</option>`)}</select>
  </label>
`;
