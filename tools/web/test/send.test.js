import assert from "node:assert/strict";
import { test } from "node:test";

const { judge } = await import("../../../web/courier/send.js");

test("only what the server itself answers ends an entry of the courier's queue", () => {
  const kinds = [
    [200, { id: "1" }, "done"],
    [204, undefined, "done"],
    [409, { code: "order_reassigned" }, "refused"],
    [409, { code: "idempotency_in_progress" }, "later"],
    [401, { code: "unauthenticated" }, "out"],
    [503, { code: "unavailable" }, "later"],
    [429, { code: "resource_exhausted" }, "later"],
    // A captive portal's page, and answers of proxies.
    [200, undefined, "later"],
    [401, undefined, "later"],
    [403, undefined, "later"],
    [404, { message: "no such host" }, "later"],
    [502, undefined, "later"],
    [413, undefined, "refused"], // would be too large the next time, too
  ];
  for (const [status, body, kind] of kinds) assert.equal(judge(status, body, 0).kind, kind, `${status} ${JSON.stringify(body)}`);
});

test("a network's login page means that nobody is reached, and a server that is busy says when to come back", () => {
  assert.equal(judge(200, undefined, 0).status, 0);
  assert.equal(judge(503, { code: "unavailable" }, 7).wait, 7000);
});
