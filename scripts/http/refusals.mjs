// Sends bodies that the server refuses before it reads them, with fetch and with node:http,
// and reads each refusal.
//
//   node refusals.mjs ADDRESS KEY ORDER
import http from "node:http";

const [address, key, order] = process.argv.slice(2);
const SIZES = [1_100_000, 3_000_000, 5_000_000, 7_500_000];
const bearer = { Authorization: `Bearer ${key}` };
const json = { "Content-Type": "application/json" };

const big = (size) => {
  const text = '{"customer":{"name":"A"},"dropoff":{"address":"x"},"notes":"';
  return `${text}${"x".repeat(size - text.length - 2)}"}`;
};
const table = (size) => `customer.name,what.is.this\n${"Anna,1\n".repeat(size / 7)}`;

const refusals = [
  [401, "unauthenticated", "POST", "/order", { ...json, Authorization: "Bearer nobody" }, big],
  [404, "not_found", "POST", "/nowhere", { ...json, ...bearer }, big],
  [405, "method_not_allowed", "PUT", `/order/${order}`, { ...json, ...bearer }, big],
  [413, "too_large", "POST", "/order", { ...json, ...bearer }, big],
  [415, "unsupported_media_type", "POST", "/order", { ...json, ...bearer, "Content-Encoding": "br" }, big],
  [415, "unsupported_media_type", "POST", "/orders/import", { ...bearer, "Content-Type": "image/png" }, big],
  [422, "validation_failed", "POST", "/orders/import", { ...bearer, "Content-Type": "text/csv" }, table],
  [401, "unauthenticated", "POST", "/orders/import", { "Content-Type": "text/csv" }, table],
];

const clients = {
  async fetch(method, url, headers, body) {
    const answer = await fetch(url, { method, headers, body });
    return [answer.status, await answer.text()];
  },
  http: (method, url, headers, body) =>
    new Promise((resolve, reject) => {
      const request = http.request(url, { method, headers: { ...headers, "Content-Length": Buffer.byteLength(body) } }, (answer) => {
        let text = "";
        answer.on("data", (chunk) => {
          text += chunk;
        });
        answer.on("end", () => resolve([answer.statusCode, text]));
        answer.on("error", reject);
      });
      request.on("error", reject);
      request.end(body);
    }),
};

let tried = 0;
let failed = 0;
for (const [name, call] of Object.entries(clients)) {
  for (const size of SIZES) {
    for (const [status, code, method, path, headers, make] of refusals) {
      tried += 1;
      const said = await call(method, address + path, headers, make(size)).catch((error) => [error.cause?.code ?? error.message]);
      if (said[0] === status && said[1].includes(`"code":"${code}"`)) continue;
      failed += 1;
      console.error(`${name}: ${method} ${path} of ${size} bytes: ${String(said).slice(0, 200)} instead of ${status} ${code}`);
    }
  }
}
console.log(`node: ${tried - failed} of ${tried} refusals read`);
process.exitCode = failed > 0 ? 1 : 0;
