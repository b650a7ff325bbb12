import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import path from "node:path";
import { test } from "node:test";
import { story } from "../../../web/customer/story.js";
import { texts as en } from "../../../web/i18n/en.js";
import { speak } from "../../../web/i18n/index.js";
import { texts as ru } from "../../../web/i18n/ru.js";
import { statuses } from "../../../web/parts/status.js";
import { dates, roundOut, span } from "../../../web/parts/time.js";

const now = Date.parse("2026-03-12T14:00:00Z");
const iso = minutes => new Date(now + minutes * 60_000).toISOString();

function order(status, more = {}) {
  return {
    id: "1",
    number: "7K2-4QX",
    status,
    version: 1,
    attempts: 0,
    customer: { name: "Anna" },
    dropoff: { address: "Kalevankatu 12" },
    created_at: iso(-60),
    updated_at: iso(-1),
    ...(status === "delivered" && { delivered_at: iso(-3) }),
    ...more,
  };
}

const eta = (from, to) => ({
  order_id: "1",
  eta: iso((from + to) / 2),
  earliest: iso(from),
  latest: iso(to),
  minutes_remaining: from,
  method: "live",
  confidence: 0.8,
  computed_at: iso(0),
});

const ivan = { name: "Ivan", vehicle: "bicycle" };
const parcel = (phase, more = {}) => ({ shipment: { carrier: "cdek", tracking_number: "1523", phase, ...more } });

/** Every situation a customer can see, by name. */
const scenes = [
  ...statuses.map(status => [status, { order: order(status), eta: eta(11, 23) }]),
  ...["assigned", "at_pickup", "picked_up", "out_for_delivery", "at_dropoff"].map(status => [
    `${status}, by Ivan`,
    { order: order(status), courier: ivan, eta: eta(11, 23) },
  ]),
  ["out_for_delivery, on foot", { order: order("out_for_delivery"), courier: { name: "Aino", vehicle: "foot" }, eta: eta(11, 23) }],
  ["out_for_delivery, near", { order: order("out_for_delivery"), courier: ivan, near: true, eta: eta(1, 4) }],
  ["out_for_delivery, late", { order: order("out_for_delivery", { promised_at: iso(-10) }), courier: ivan, eta: eta(11, 23) }],
  ["out_for_delivery, later than any estimate", { order: order("out_for_delivery"), courier: ivan, eta: eta(-20, -2) }],
  ["confirmed, for the day after tomorrow", { order: order("confirmed"), eta: eta(2880, 2940) }],
  ["delivery_failed, twice", { order: order("delivery_failed", { attempts: 2 }) }],
  ["delivery_failed, five times", { order: order("delivery_failed", { attempts: 5 }) }],
  ["ready_for_pickup, no address", { order: order("ready_for_pickup", { dropoff: {} }) }],
  ...["pending", "registered", "rejected", "cancelled"].map(phase => [
    `a parcel that is ${phase}`,
    { order: order("confirmed", parcel(phase)), eta: eta(4320, 7200) },
  ]),
  ...["picked_up", "in_transit", "out_for_delivery", "ready_for_pickup", "delivery_failed", "returning", "delivered", "returned", "cancelled", "failed"].map(
    status => [`a parcel, ${status}`, { order: order(status, parcel("registered")), eta: eta(4320, 7200) }],
  ),
  ["a parcel in Kazan", { order: order("in_transit", parcel("registered")), city: "Казань", eta: eta(1440, 1500) }],
  ["a parcel of an unknown carrier", { order: order("picked_up", { shipment: { carrier: "posti", phase: "registered" } }) }],
];

function told(lang, facts) {
  const s = story({ now, ...facts });
  const where = { lang, zone: "UTC" };
  const time =
    s.when &&
    (s.when.happened
      ? span(s.when.earliest, s.when.latest, where)
      : s.when.days
        ? dates(s.when.earliest, s.when.latest, where)
        : span(...Object.values(roundOut(s.when.earliest, s.when.latest, now)).slice(0, 2), where));
  return [s.late, s.headline, time, s.lead, s.at >= 0 && s.steps.map((step, i) => (i === s.at ? `[${step}]` : step)).join(" – ")].filter(Boolean).join("\n  ");
}

test("what customers are told is what was agreed, in both languages", () => {
  const golden = path.join(import.meta.dirname, "story.golden.txt");
  let all = "";
  for (const [lang, texts] of Object.entries({ en, ru })) {
    speak(lang, texts);
    for (const [name, facts] of scenes) all += `${lang}: ${name}\n  ${told(lang, facts)}\n\n`;
  }
  if (process.env.UPDATE) writeFileSync(golden, all);
  assert.equal(all, readFileSync(golden, "utf8"));
});

test("no scene is without words, and none shows a key or an empty value", () => {
  for (const [lang, texts] of Object.entries({ en, ru })) {
    speak(lang, texts);
    for (const [name, facts] of scenes) {
      const text = told(lang, facts);
      assert.match(text, /^\p{L}/u, name);
      assert.doesNotMatch(text, /\{|\bundefined\b|\b(story|parcel|step)\.\w|at_dropoff|custody|ETA/, name);
    }
  }
});
