import { call } from "../api.js";
import { html, useEffect, useState } from "../vendor/preact.js";
import { Story } from "./drawer-story.js";
import { Offers } from "./offers.js";

/** What happened to an order: its offers, and everything. @param {import("./app.js").Props & {order: import("./groups.js").Order}} props */
export function Past({ order, board }) {
  const [events, setEvents] = useState(/** @type {any[]} */ ([]));
  useEffect(() => {
    call("GET", `/order/${order.id}/events`).then(
      told => setEvents(told.events),
      () => {}, // the next change asks again
    );
  }, [order.id, order.version, order.eta?.computed_at, board.noted.get(order.id)]);
  return html`<${Offers} events=${events} board=${board} /><${Story} events=${events} order=${order} board=${board} />`;
}
