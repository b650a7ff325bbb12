// Live order tracking in a web page, without dependencies.
//
//   import { Live, watchOrder } from "https://track.example/client.js";
//
//   const watch = watchOrder(id, { token, on: {
//     status:   f => show(f.data.status),
//     position: f => marker.move(f.data.lat, f.data.lon),
//   } });
//   watch.close();
//
//   const live = new Live({ key, on: { positions: f => f.data.couriers.forEach(move) } });
//   live.subscribe("fleet");
//   live.subscribe(`order:${id}`, 3); // and every status after version 3
//
// Both reconnect automatically, with exponential, jittered backoff, when the connection
// breaks, the server stops or the page was too slow. The statuses of a watched order
// always arrive in version order, with nothing lost or duplicated.

/** @typedef {import("./client/types.js").Frame} Frame */

export { Live } from "./client/live.js";
export { watchOrder } from "./client/order.js";
