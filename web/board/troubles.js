import { call } from "../api.js";

const EVERY = 60_000; // milliseconds between looks
const OLD = 60; // seconds that events may wait for Kafka

/** @typedef {{id: string, kind: "webhook"|"carrier"|"outbox", name: string, minutes: number}} Trouble of the installation, not of an order */

/**
 * Looks after what stands still without an order being in trouble: webhooks that were turned off, carriers that do not answer,
 * events that wait. Roles that may not read it have none.
 * @param {import("./session.js").Session} session @param {(found: Trouble[]) => void} tell
 */
export function watchTroubles(session, tell) {
  const look = async () => {
    const found = await Promise.all([session.can("listWebhooks") ? deadWebhooks() : [], session.can("metrics") ? metrics() : []]).catch(() => undefined);
    if (found) tell(found.flat()); // unreachable is told by the stream
  };
  setInterval(() => document.hidden || look(), EVERY);
  look();
}

/** @returns {Promise<Trouble[]>} */
async function deadWebhooks() {
  const { webhooks } = await call("GET", "/webhooks?page_size=500");
  const dead = webhooks.filter((/** @type {any} */ w) => !w.enabled && w.disabled?.reason !== "by_hand");
  return dead.map((/** @type {any} */ w) => ({ id: w.id, kind: "webhook", name: w.description || w.url, minutes: 0 }));
}

async function metrics() {
  const reply = await fetch("/metrics");
  return reply.ok ? troublesIn(await reply.text()) : [];
}

/** What metrics in the text format of Prometheus say. @param {string} text @returns {Trouble[]} */
export function troublesIn(text) {
  const away = new Set([...text.matchAll(/^ordertracking_carrier_suspended\Wcarrier=\W([\w-]+)\W.* [1-9]/gm)].map(m => m[1]));
  const age = Number(/^ordertracking_outbox_oldest_age_seconds (\S+)/m.exec(text)?.[1] ?? 0);
  return [
    ...[...away].map(name => ({ id: `carrier ${name}`, kind: /** @type {const} */ ("carrier"), name: name.toUpperCase(), minutes: 0 })),
    ...(age > OLD ? [{ id: "outbox", kind: /** @type {const} */ ("outbox"), name: "Kafka", minutes: Math.round(age / 60) }] : []),
  ];
}
