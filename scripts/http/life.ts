// An order's life with the types that openapi-typescript makes: life.js ADDRESS KEY.
import createClient from "openapi-fetch";
import type { paths } from "./api.js";

declare const process: { argv: string[] };

const [, , baseUrl, key] = process.argv;
const api = (token: string) => createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });
const client = api(key);

function assert(holds: unknown, said?: unknown): asserts holds {
  if (!holds) throw new Error(`not as expected: ${JSON.stringify(said)}`);
}

/** What an answer holds, which must be no problem. */
function answer<T>({ data, error }: { data?: T; error?: unknown }): T {
  assert(data !== undefined, error);
  return data;
}

const body = { customer: { name: "Anna" }, dropoff: { address: "Main St 1" } };
const create = async () => answer(await client.POST("/order", { body, params: { header: { "Idempotency-Key": "life-ts" } } }));
const order = await create();
assert((await create()).id === order.id);
const params = { path: { order_id: order.id } };
const courier = answer(await client.POST("/couriers", { body: { name: "Ivan" } }));
const assigned = answer(await client.POST("/order/{order_id}/assign-courier", { params, body: { courier_id: courier.id } }));
assert(assigned.courier_id === courier.id, assigned);
const stale = await client.DELETE("/order/{order_id}", { params: { ...params, header: { "If-Match": '"v1"' } } });
assert(stale.error?.code === "version_conflict", stale);
for (const status of ["at_pickup", "picked_up", "out_for_delivery", "at_dropoff", "delivered"] as const) {
  assert(answer(await client.PATCH("/order/{order_id}/status", { params, body: { status } })).status === status);
}
const late = await client.DELETE("/order/{order_id}", { params, body: { reason: "too late" } });
assert(late.response.status === 409, late);
assert(answer(await client.GET("/order/{order_id}/track", { params })).timeline.length === 7);
assert(answer(await client.GET("/order/{order_id}/events", { params })).events.length === 7);
const share = answer(await client.POST("/order/{order_id}/share", { params, body: {} }));
assert(answer(await api(share.token).GET("/order/{order_id}", { params })).status === "delivered");
const other = answer(await client.POST("/order", { body }));
const gone = answer(await client.DELETE("/order/{order_id}", { params: { path: { order_id: other.id } }, body: { reason: "twice" } }));
assert(gone.status === "cancelled", gone);
console.log("typescript: an order's life");
