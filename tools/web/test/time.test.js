import assert from "node:assert/strict";
import { test } from "node:test";
import { ago, clock, dates, day, roundOut, span } from "../../../web/parts/time.js";

const at = text => Date.parse(text);
const minutes = n => n * 60_000;

test("windows are rounded out to five minutes and do not begin in the past", () => {
  const now = at("2026-03-12T14:00:00Z");
  for (const [earliest, latest, from, to] of [
    ["14:21:10", "14:33:20", "14:20", "14:35"],
    ["14:20:00", "14:35:00", "14:20", "14:35"],
    ["13:40:00", "14:12:00", "14:00", "14:15"],
    ["14:20:00", "14:20:00", "14:20", "14:25"],
  ]) {
    const got = roundOut(at(`2026-03-12T${earliest}Z`), at(`2026-03-12T${latest}Z`), now);
    assert.equal(span(got.from, got.to, { lang: "en", zone: "UTC" }), `${from}–${to}`);
    assert.equal(got.over, false);
  }
  assert.equal(roundOut(now - minutes(20), now - minutes(1), now).over, true);
});

test("a window holds what it is about, whatever the minute", () => {
  for (let i = 0; i < 500; i++) {
    const now = at("2026-03-12T00:00:00Z") + Math.floor(Math.random() * 86_400_000);
    const earliest = now + Math.floor(Math.random() * 3_600_000);
    const latest = earliest + Math.floor(Math.random() * 3_600_000);
    const { from, to } = roundOut(earliest, latest, now);
    assert.ok(from <= earliest && to >= latest && to > from, `${now} ${earliest} ${latest}`);
    assert.ok(from % minutes(5) === 0 && to % minutes(5) === 0);
  }
});

test("times are those of the order's zone, across its midnight too", () => {
  const where = { lang: "en", zone: "Asia/Vladivostok" };
  const now = at("2026-03-12T13:30:00Z"); // half past eleven at night there
  assert.equal(clock(now, where), "23:30");
  assert.equal(day(now + minutes(45), now, where), "tomorrow");
  assert.equal(day(now + minutes(45), now, { lang: "ru", zone: "UTC" }), "сегодня");
  assert.equal(day(now + 5 * 86_400_000, now, { lang: "ru", zone: "UTC" }), "17 марта");
  assert.equal(clock(now, { lang: "en", zone: "No/Such_Zone" }).length, 5);
});

test("days and ages", () => {
  const now = at("2026-03-12T12:00:00Z");
  assert.equal(dates(at("2026-03-12T08:00:00Z"), at("2026-03-14T18:00:00Z"), { lang: "en", zone: "UTC" }), "12–14 March");
  assert.equal(dates(at("2026-03-12T08:00:00Z"), at("2026-03-12T18:00:00Z"), { lang: "ru", zone: "UTC" }), "12 марта");
  assert.equal(ago(now - minutes(4), now, { lang: "en" }), "4 minutes ago");
  assert.equal(ago(now - minutes(4), now, { lang: "ru" }), "4 минуты назад");
  assert.equal(ago(now + minutes(1), now, { lang: "en" }), "now");
});
