import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { accents, contrast, linear } from "../../../web/parts/color.js";
import { at, decode, metres, round, towards } from "../../../web/parts/map/glide.js";
import { money } from "../../../web/parts/money.js";
import { ended, groupOf, inCustody, statuses } from "../../../web/parts/status.js";
import { callLink } from "../../../web/start.js";

// What tokens.css says, so that this test and the pages can't disagree.
const tokens = readFileSync(new URL("../../../web/tokens.css", import.meta.url), "utf8");
const ground = theme => tokens.match(`--accent-ground-${theme}: (#[0-9a-f]{6});`)[1];
const grounds = { light: ground("light"), dark: ground("dark") };

test("any accent can be read on both grounds, and one that can stays", () => {
  for (const hex of ["#ffffff", "#ffff00", "#000000", "#ff0000", "#00ff88", "#3355ff", "#808080", "#123456"]) {
    const { light, dark } = accents(hex, grounds);
    assert.ok(contrast(linear(light), linear("#f7f5f2")) >= 4.5, `${hex} by day: ${light}`);
    assert.ok(contrast(linear(light), linear("#ffffff")) >= 4.5, `white on ${light}`);
    assert.ok(contrast(linear(dark), linear("#1f1c19")) >= 4.5, `${hex} at night: ${dark}`);
  }
  assert.equal(accents("#1a4f9c", grounds).light, "#1a4f9c");
  for (const bad of ["", "red", "#12345", "url(x)", "#12345g"]) assert.equal(accents(bad, grounds), undefined);
});

test("a dot is where it was at first and where it goes in the end, never later than the fix allows", () => {
  const from = { lat: 60, lon: 24 };
  const to = { lat: 60.001, lon: 24.002 };
  const glide = towards(towards(undefined, from, 0, 0, false), to, 3000, 100, false);
  assert.deepEqual(at(glide, 100), from);
  assert.deepEqual(at(glide, 3100), to);
  assert.deepEqual(at(glide, 1e9), to);
  const half = at(glide, 1600);
  assert.ok(Math.abs(half.lat - 60.0005) < 1e-9 && Math.abs(half.lon - 24.001) < 1e-9);
  assert.equal(towards(glide, from, 60_000, 0, false).took, 5000);
  assert.deepEqual(at(towards(glide, from, 3000, 1600, true), 1600), from, "without motion it jumps");
  assert.deepEqual(at(towards(glide, from, -5, 1600, false), 1600), from, "fixes of one moment do not glide");
});

test("polylines, distances and scales", () => {
  assert.deepEqual(decode("_p~iF~ps|U_ulLnnqC_mqNvxq`@"), [
    [38.5, -120.2],
    [40.7, -120.95],
    [43.252, -126.453],
  ]);
  assert.deepEqual(decode(""), []);
  assert.ok(Math.abs(metres({ lat: 60.1699, lon: 24.9384 }, { lat: 60.1799, lon: 24.9384 }) - 1112) < 2);
  assert.deepEqual([1, 3, 9, 10, 240, 999, 5001].map(round), [1, 2, 5, 10, 200, 500, 5000]);
});

test("money in the smallest units of its currency", () => {
  const plain = text => text.replaceAll("\u00a0", " ");
  assert.equal(plain(money({ amount: 129_900, currency: "RUB" }, "ru")), "1 299 ₽");
  assert.equal(plain(money({ amount: 129_950, currency: "RUB" }, "ru")), "1 299,50 ₽");
  assert.equal(money({ amount: 1250, currency: "EUR" }, "en"), "€12.50");
  assert.equal(money({ amount: 1250, currency: "JPY" }, "en"), "¥1,250");
  assert.equal(plain(money({ amount: 1250, currency: "" }, "en")), "12.5 ");
});

test("statuses have a group, and ends and custody are told apart", () => {
  assert.equal(statuses.length, 15);
  assert.deepEqual(statuses.filter(ended), ["delivered", "returned", "cancelled", "failed"]);
  assert.deepEqual(statuses.filter(inCustody), [
    "picked_up",
    "in_transit",
    "out_for_delivery",
    "at_dropoff",
    "ready_for_pickup",
    "delivery_failed",
    "returning",
  ]);
  assert.equal(groupOf("something new"), "idle");
});

test("the link that calls the other side names the order and who calls", () => {
  const order = { id: "0190", number: "A B&C" };
  assert.equal(callLink(undefined, order, "customer"), undefined);
  assert.equal(
    callLink("https://pbx.example/call?order={order_id}&n={number}&from={from}", order, "courier"),
    "https://pbx.example/call?order=0190&n=A%20B%26C&from=courier",
  );
});
