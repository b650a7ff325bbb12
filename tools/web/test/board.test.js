import assert from "node:assert/strict";
import { test } from "node:test";

// The modules know the page's address, which there is none of here.
globalThis.location = /** @type {any} */ ({ search: "", pathname: "/" });
globalThis.addEventListener = () => {};
globalThis.document = /** @type {any} */ ({});
globalThis.matchMedia = () => ({ matches: false });
const { Board } = await import("../../../web/board/board.js");
const { newest } = await import("../../../web/board/contact.js");
const { kindOf } = await import("../../../web/board/alerts.js");
const { readLines } = await import("../../../web/board/import.js");
const { offersIn } = await import("../../../web/board/offers.js");
const { built, differences } = await import("../../../web/board/settings/resource.js");
const { stopsOf } = await import("../../../web/board/stops.js");
const { troublesIn } = await import("../../../web/board/troubles.js");

test("who stood for three minutes made a stop, who crept on did not", () => {
  const at = (minute, lat) => ({ lat, lon: 25, recorded_at: new Date(60_000 * minute).toISOString() });
  const fixes = [at(0, 60), at(1, 60.01), at(2, 60.01), at(4, 60.0101), at(5, 60.02), at(6, 60.03)];
  assert.deepEqual(stopsOf(fixes), [{ from: 1, start: 60_000, end: 240_000 }]);
  assert.deepEqual(stopsOf(fixes.slice(0, 3)), []);
  assert.deepEqual(stopsOf([]), []);
});

test("an offer is what its newest entry says", () => {
  const data = { offer_id: "1", courier_id: "c", expires_at: "2026-05-04T12:00:00Z" };
  const made = { type: "offer.made", data };
  const other = { type: "offer.made", data: { ...data, offer_id: "2" } };
  const declined = { type: "offer.declined", data, reason: "too far" };
  const told = offersIn([{ type: "order.created" }, made, other, declined]);
  assert.deepEqual(
    told.map(o => [o.id, o.status, o.reason]),
    [
      ["2", "open", undefined],
      ["1", "declined", "too far"],
    ],
  );
});

test("the lines of an import come whole, however they are cut", async () => {
  const text = '{"line":2,"error":{"code":"x"}}\n{"line":3,"read":3,"finished":true}';
  const parts = [text.slice(0, 9), text.slice(9, 40), text.slice(40)].map(p => new TextEncoder().encode(p));
  const got = [];
  await readLines(
    new ReadableStream({
      start(c) {
        for (const p of parts) c.enqueue(p);
        c.close();
      },
    }),
    line => got.push(line.line),
  );
  assert.deepEqual(got, [2, 3]);
});

test("metrics tell of carriers that are away and of events that wait", () => {
  const metrics = (carrier, age) =>
    `ordertracking_carrier_suspended{carrier="cdek",operation="city"} ${carrier}\nordertracking_carrier_suspended{carrier="cdek",operation="order"} ${carrier}\nordertracking_outbox_oldest_age_seconds ${age}\n`;
  assert.deepEqual(troublesIn(metrics(0, 5)), []);
  assert.deepEqual(
    troublesIn(metrics(1, 300)).map(f => [f.kind, f.name, f.minutes]),
    [
      ["carrier", "CDEK", 0],
      ["outbox", "Kafka", 5],
    ],
  );
});

test("an order has one alert, the most urgent", () => {
  const now = Date.parse("2026-05-04T12:00:00Z");
  const late = { status: "assigned", promised_at: "2026-05-04T11:50:00Z" };
  assert.equal(kindOf(late, now), "late");
  assert.equal(kindOf({ ...late, exception: { code: "no_taker" } }, now), "no_taker");
  assert.equal(kindOf({ ...late, exception: { code: "customs" } }, now), "exception");
  assert.equal(kindOf({ ...late, status: "delivery_failed" }, now), "failed");
  assert.equal(kindOf({ ...late, status: "delivered", exception: { code: "customs" } }, now), undefined);
});

test("edits are put at their pointers, and differences are named by theirs", () => {
  assert.deepEqual(built({ "/brand/name": "Soma", "/rules": [1] }, { rules: [2], texts: undefined }), {
    brand: { name: "Soma" },
    rules: [1],
    texts: undefined,
  });
  const was = { brand: { name: "a", accent: "" }, rules: [1], version: 1 };
  assert.deepEqual(differences(was, { brand: { name: "b", accent: "" }, rules: [2], version: 2, locale: "ru" }), ["/brand/name", "/rules", "/locale"]);
});

test("an answer that is older than what the stream told takes nothing back", () => {
  const board = new Board({ now: new Date().toISOString() }, { state: { value: "out" } });
  const status = () => board.orders.get("a").status;
  board.redraw = () => {};
  board.rereading.touch = () => {};
  board.put({ id: "a", version: 3, status: "confirmed" });
  board.heard({ order_id: "a", version: 5, status: "at_pickup" });
  assert.equal(status(), "at_pickup");
  board.put({ id: "a", version: 4, status: "assigned" }); // a list that was on its way
  assert.deepEqual([status(), board.orders.get("a").version], ["at_pickup", 4]);
  board.heard({ order_id: "a", version: 6, status: "picked_up" });
  board.put({ id: "a", version: 6, status: "picked_up" });
  board.put({ id: "a", version: 7, status: "in_transit" });
  assert.equal(status(), "in_transit");
  board.heard({ order_id: "b", version: 2, status: "confirmed" });
  board.put({ id: "b", version: 1, status: "created" });
  assert.equal(board.orders.get("b").status, "confirmed");
});

test("a late answer moves no courier back", () => {
  const at = (lat, second) => ({ lat, lon: 25, recorded_at: new Date(1000 * second).toISOString() });
  const live = { id: "c", version: 2, on_duty: true, position: at(60.2, 20) };
  assert.deepEqual(newest(undefined, live), live);
  assert.deepEqual(newest(live, { id: "c", version: 2, active_orders: 3, position: at(60.1, 10) }), { ...live, active_orders: 3 });
  assert.deepEqual(newest(live, { id: "c", version: 3, on_duty: false, position: at(60.3, 30) }), {
    id: "c",
    version: 3,
    on_duty: false,
    position: at(60.3, 30),
  });
  assert.deepEqual(newest(live, { id: "c", version: 3, on_duty: false }).position, live.position);
  assert.equal(newest(live, { id: "c", version: 1, on_duty: false }), live);
});
