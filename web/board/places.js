// What the board's maps show.
import { t } from "../i18n/index.js";
import { inCustody } from "../parts/status.js";

/** @typedef {import("../parts/map/marker.js").Pin} Pin */

const MOST = 150; // doors on a map; more are no help

/** The pins of places, as only few of thousands have changed at a time. @type {WeakMap<object, Pin>} */
const made = new WeakMap();

/** @param {import("./board.js").Courier} courier @returns {Pin | undefined} */
export function courierPin(courier) {
  const p = courier.position;
  const known = p && made.get(p);
  if (!p || (known?.label === courier.name && known.sign === courier.vehicle)) return known;
  const heading = (p.speed ?? 0) > 0.5 ? p.heading : undefined;
  /** @type {Pin} */
  const pin = {
    id: courier.id,
    kind: "courier",
    lat: p.lat,
    lon: p.lon,
    heading,
    sign: courier.vehicle,
    seen: Date.parse(p.recorded_at ?? ""),
    stale: p.stale,
    label: courier.name,
  };
  made.set(p, pin);
  return pin;
}

/** Who carries an order, also a carrier's courier. @param {import("./board.js").Board} board @param {import("./groups.js").Order} order @returns {Pin | undefined} */
export function bringerPin(board, order) {
  if (!inCustody(order.status)) return undefined;
  const courier = board.couriers.get(order.courier_id ?? "");
  if (courier) return courierPin(courier);
  const position = board.performers.get(order.id);
  return position && { ...position, id: `by-${order.id}`, kind: "courier", heading: undefined, label: order.shipment?.carrier.toUpperCase() ?? "" };
}

/**
 * The couriers and the doors of the listed orders.
 * @param {import("./board.js").Board} board @param {import("./groups.js").Order[]} rows
 */
export function pinsOf(board, rows) {
  board.moved.value; // redraws with every move
  const chosen = board.cursor.value;
  /** @type {Pin[]} */
  const pins = [];
  for (const courier of board.couriers.values()) {
    const pin = courier.on_duty ? courierPin(courier) : undefined;
    if (pin) pins.push(pin);
  }
  for (const id of board.performers.keys()) {
    const o = board.orders.get(id);
    const pin = o && !o.courier_id && bringerPin(board, o);
    if (pin) pins.push(pin);
  }
  for (const o of rows.slice(0, MOST)) {
    if (o.dropoff?.location)
      pins.push({ id: o.id, kind: o.id === chosen ? "home" : "stop", ...o.dropoff.location, label: t("map.door", { number: o.number ?? "" }) });
  }
  const order = board.orders.get(chosen);
  const from = order && (inCustody(order.status) ? bringerPin(board, order) : order.pickup?.location);
  if (order?.pickup?.location) pins.push({ id: "pickup", kind: "shop", ...order.pickup.location, label: t("map.shop") });
  const to = order?.dropoff?.location;
  return { pins, ahead: from && to ? [at(from), at(to)] : [] };
}

/** @param {{lat: number, lon: number}} p @returns {[number, number]} */
const at = p => [p.lat, p.lon];
