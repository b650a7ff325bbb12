import assert from "node:assert/strict";
import { test } from "node:test";

const { Rereading } = await import("../../../web/board/rereading.js");
const { Refusal } = await import("../../../web/api.js");

/** A board that notes which orders were read; each reading brings the version that the server has. */
function fake(server = {}) {
  const board = { orders: new Map(), read: [] };
  board.fetch = async id => {
    board.read.push(id);
    if (server[id] instanceof Error) throw server[id];
    board.orders.set(id, { id, version: server[id] });
  };
  return board;
}

/** Lets promises go on. */
const settle = () => new Promise(done => setImmediate(done));

test("an order that somebody changed is read once, however often it changed", async t => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const board = fake({ a: 3, b: 2 });
  board.orders.set("b", { version: 2 });
  const rereading = new Rereading(board);
  rereading.touch("a", 2);
  rereading.touch("a", 3);
  rereading.touch("b", 2); // has come already
  rereading.touch(undefined);
  t.mock.timers.tick(1000);
  await settle();
  t.mock.timers.tick(1000);
  assert.deepEqual(board.read, ["a"]);
});

test("an order is not read while its own change is under way, and afterwards only when that did not bring it", async t => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const board = fake({ a: 5, b: 6 });
  const rereading = new Rereading(board);
  for (const [id, version] of [
    ["a", 5],
    ["b", 5],
  ]) {
    let answer = _ => {};
    const done = rereading.during(id, async () => {
      board.orders.set(id, { id, version: await new Promise(tell => (answer = tell)) });
    });
    rereading.touch(id, id === "a" ? 5 : 6);
    t.mock.timers.tick(10_000);
    assert.deepEqual(board.read, []);
    answer(version);
    await done;
  }
  t.mock.timers.tick(1000);
  await settle();
  assert.deepEqual(board.read, ["b"], "somebody else changed b after it");
  await assert.rejects(
    rereading.during("c", async () => {
      throw new Refusal(409);
    }),
  );
  assert.equal(rereading.changing.size, 0);
});

test("a server that is away is asked again, an order that is gone is not", async t => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  const server = { a: new Refusal(0), b: new Refusal(404, { code: "order_not_found" }) };
  const board = fake(server);
  const rereading = new Rereading(board);
  rereading.touch("a");
  rereading.touch("b");
  t.mock.timers.tick(1000);
  await settle();
  assert.deepEqual(board.read, ["a", "b"]);
  server.a = 2;
  t.mock.timers.tick(1000);
  await settle();
  assert.deepEqual(board.read, ["a", "b"], "it is given time");
  t.mock.timers.tick(5000);
  await settle();
  assert.deepEqual(board.read, ["a", "b", "a"]);
  assert.equal(board.orders.get("a").version, 2);
});
