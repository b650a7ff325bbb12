// Watches an order with EventSource, as pages do, with a share link's token. Each event must
// be there before the next step is made: a proxy that holds it back is a failure.
//
//   node events.mjs ADDRESS KEY
import assert from "node:assert";
import { createRequire } from "node:module";

const { EventSource } = createRequire(`${process.env.NODE_MODULES}/`)("eventsource");
const [address, key] = process.argv.slice(2);
const late = setTimeout(() => assert.fail("an event did not arrive"), 60_000);

async function call(method, path, body) {
  const answer = await fetch(address + path, {
    method,
    headers: { Authorization: `Bearer ${key}`, "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
  return answer.json();
}

const order = await call("POST", "/order", { customer: { name: "Anna" }, dropoff: { address: "Main St 1" } });
const courier = await call("POST", "/couriers", { name: "Ivan" });
const share = await call("POST", `/order/${order.id}/share`, {});
const steps = [
  () => call("PATCH", `/order/${order.id}/status`, { status: "confirmed" }),
  () => call("POST", `/order/${order.id}/assign-courier`, { courier_id: courier.id }),
  () => call("PATCH", `/order/${order.id}/status`, { status: "picked_up" }),
  () => call("PATCH", `/order/${order.id}/status`, { status: "delivered" }),
];
const seen = [];
const events = new EventSource(`${address}/order/${order.id}/stream?token=${share.token}`);
await new Promise((done, failed) => {
  events.onerror = (error) => failed(new Error(`the stream ended: ${error.message}`));
  events.onmessage = ({ data }) => {
    const frame = JSON.parse(data);
    if (frame.type === "snapshot" || frame.type === "status") {
      seen.push(frame.type === "status" ? frame.data.status : frame.type);
      steps.shift()?.().catch(failed);
    }
    if (frame.type === "end") done();
  };
});
events.close();
assert.deepEqual(seen, ["snapshot", "confirmed", "assigned", "picked_up", "delivered"]);
clearTimeout(late);
console.log("events: each arrived before the next step");
