import assert from "node:assert/strict";
import { test } from "node:test";

const { call, Refusal } = await import("../../../web/api.js");

/** A network whose next requests are answered as listed; undefined is never. pass(ms) lets so long go by for what waits. */
function network(t, ...answers) {
  const waits = [];
  let asked = 0;
  t.mock.method(AbortSignal, "timeout", ms => {
    const stop = new AbortController();
    waits.push({ ms, stop });
    return stop.signal;
  });
  t.mock.method(globalThis, "fetch", (_, { signal }) => {
    const answer = answers[asked++];
    return answer ? Promise.resolve(answer) : new Promise((_, fail) => signal.addEventListener("abort", () => fail(signal.reason)));
  });
  const pass = async ms => {
    for (const wait of waits.filter(w => w.ms <= ms)) wait.stop.abort();
    await new Promise(done => setImmediate(done));
  };
  return { pass, asked: () => asked };
}

test("what is read is asked again over another connection when no answer begins", async t => {
  const net = network(t, undefined, undefined, new Response('{"a":1}'));
  const answer = call("GET", "/x");
  await net.pass(3_000);
  await net.pass(3_000);
  assert.deepEqual([await answer, net.asked()], [{ a: 1 }, 3]);
});

test("a read that is never answered ends, and a change is not repeated", async t => {
  const net = network(t);
  const read = assert.rejects(call("GET", "/x"), new Refusal(0));
  for (let i = 0; i < 3; i++) await net.pass(3_000);
  assert.equal(net.asked(), 4);
  await net.pass(15_000);
  await read;
  const change = assert.rejects(call("POST", "/x", { body: {} }), new Refusal(0));
  await net.pass(3_000);
  assert.equal(net.asked(), 5);
  await net.pass(15_000);
  await change;
  assert.equal(net.asked(), 5);
});

test("an answer that breaks off is none", async t => {
  const broken = new ReadableStream({ start: c => c.error(new Error("lost")) });
  const net = network(t, new Response(broken));
  await assert.rejects(call("GET", "/x"), new Refusal(0));
  assert.equal(net.asked(), 1);
});
