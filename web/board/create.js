import { call, Refusal } from "../api.js";
import { t } from "../i18n/index.js";
import { Button } from "../parts/button.js";
import { Dialog } from "../parts/dialog.js";
import { Field } from "../parts/field.js";
import { Later } from "../parts/later.js";
import { say } from "../parts/toast.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { whyNot } from "./actions.js";
import { AddressField } from "./address.js";
import { timeOf } from "./edit.js";

const blank = { name: "", phone: "", address: "", door: "", pickup: "", items: "", promised: "", notes: "" };

/** Where the server's faults belong. @type {Record<string, keyof typeof blank>} */
const fields = {
  "/customer/name": "name",
  "/customer/phone": "phone",
  "/dropoff/address": "address",
  "/dropoff": "address",
  "/dropoff/notes": "door",
  "/pickup/address": "pickup",
  "/promised_at": "promised",
  "/notes": "notes",
};

/** @typedef {{lat: number, lon: number, found?: boolean}} Pin of the door; found: by its address */

/** A new order, by a form, with the door found by its address or tapped on the map. @param {import("./app.js").Props} props */
export function Create({ board, boot, commands }) {
  const open = commands.creating.value;
  const [now, setNow] = useState(blank);
  const [pin, setPin] = useState(/** @type {Pin | undefined} */ (undefined));
  const [errors, setErrors] = useState(/** @type {Record<string, string>} */ ({}));
  const [busy, setBusy] = useState(false);
  const [key, setKey] = useState("");
  useEffect(() => {
    setKey(crypto.randomUUID());
    setErrors({});
  }, [open]);
  const close = () => (commands.creating.value = false);
  const set = (/** @type {string} */ name) => (/** @type {string} */ value) => {
    setNow({ ...now, [name]: value });
    setKey(crypto.randomUUID());
  };
  const setAddress = (/** @type {string} */ value) => {
    set("address")(value);
    if (pin?.found) setPin(undefined); // that was another one
  };
  const picked = (/** @type {import("./address.js").Spot} */ spot) => {
    set("address")(spot.address);
    setPin({ ...spot.location, found: true });
  };
  const save = async () => {
    setBusy(true);
    try {
      const order = await call("POST", "/order", { body: draft(now, pin), key });
      board.put(order);
      setNow(blank);
      setPin(undefined);
      close();
      commands.show(order.id);
    } catch (reason) {
      const faults = reason instanceof Refusal ? (reason.problem.errors ?? []) : [];
      setErrors(Object.fromEntries(faults.map((/** @type {any} */ f) => [fields[f.pointer] ?? "", f.detail])));
      if (!faults.some((/** @type {any} */ f) => fields[f.pointer])) say(whyNot(reason, board), { kind: "bad" });
    }
    setBusy(false);
  };
  const pins = pin
    ? [{ id: "door", kind: "home", ...pin, label: t("fact.to") }]
    : [...board.couriers.values()].flatMap(c => (c.position ? [{ id: c.id, kind: "stop", ...c.position, label: c.name }] : [])).slice(0, 30);
  return html`
    <${Dialog} open=${open} side title=${t("command.create")} onClose=${close}
      actions=${html`<${Button} onClick=${close}>${t("keep.closed")}<//><${Button} kind="main" busy=${busy} onClick=${save}>${t("create.save")}<//>`}>
      <form class="form" onSubmit=${(/** @type {Event} */ e) => {
        e.preventDefault();
        save();
      }}>
        <${Field} label=${t("fact.customer")} value=${now.name} onInput=${set("name")} limit=${200} error=${errors.name} />
        <${Field} label=${t("fact.phone")} value=${now.phone} onInput=${set("phone")} type="tel" error=${errors.phone} />
        ${open && html`<${AddressField} label=${t("fact.to")} value=${now.address} onInput=${setAddress} onPick=${picked} limit=${500} error=${errors.address} hint=${t(pin ? "create.pinned" : "create.pin")} />`}
        ${open && html`<div class="small-map" key=${pin?.found ? `${pin.lat} ${pin.lon}` : ""}><${Later} load=${() => import("../parts/map/map.js")} part="MapView" label=${t("create.pin")} base=${boot.map} pins=${pins} onTap=${setPin} steady /></div>`}
        <${Field} label=${t("create.door")} value=${now.door} onInput=${set("door")} limit=${500} error=${errors.door} />
        <${Field} label=${t("fact.from")} value=${now.pickup} onInput=${set("pickup")} limit=${500} error=${errors.pickup} />
        <${Field} label=${t("create.items")} value=${now.items} onInput=${set("items")} rows=${2} hint=${t("create.items.hint")} />
        <${Field} label=${t("fact.promised")} value=${now.promised} onInput=${set("promised")} type="datetime-local" error=${errors.promised} />
        <${Field} label=${t("fact.notes")} value=${now.notes} onInput=${set("notes")} rows=${2} limit=${2000} error=${errors.notes} />
        <button type="submit" hidden></button>
      </form>
    <//>
  `;
}

/** @param {typeof blank} form @param {Pin} [pin] */
export function draft(form, pin) {
  const items = form.items.split("\n").flatMap(line => {
    const [, n, name] = /^\s*(?:(\d+)\s*[x×*]\s*)?(.*?)\s*$/.exec(line) ?? [];
    return name ? [{ name, quantity: Number(n ?? 1) }] : [];
  });
  return {
    customer: { name: form.name, ...(form.phone && { phone: form.phone }) },
    dropoff: {
      ...(form.address && { address: form.address }),
      ...(pin && { location: { lat: pin.lat, lon: pin.lon } }),
      ...(form.door && { notes: form.door }),
    },
    ...(form.pickup && { pickup: { address: form.pickup } }),
    ...(items.length > 0 && { items }),
    ...(form.promised && { promised_at: timeOf(form.promised) }),
    ...(form.notes && { notes: form.notes }),
  };
}
