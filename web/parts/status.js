// The looks of statuses: five groups, each with a colour and a mark, as colour alone is not accessible.

/** @typedef {"idle"|"with"|"door"|"done"|"bad"} Group */

/** @type {Record<string, Group>} */
const groups = {
  created: "idle",
  confirmed: "idle",
  assigned: "with",
  at_pickup: "door",
  picked_up: "with",
  in_transit: "with",
  out_for_delivery: "with",
  at_dropoff: "door",
  ready_for_pickup: "door",
  delivery_failed: "bad",
  returning: "bad",
  delivered: "done",
  returned: "bad",
  cancelled: "bad",
  failed: "bad",
};

/** Every status, in the order of the status table. */
export const statuses = Object.keys(groups);

/** @param {string} status */
export const groupOf = status => groups[status] ?? "idle";

const ends = new Set(["delivered", "returned", "cancelled", "failed"]);
const before = new Set(["created", "confirmed", "assigned", "at_pickup"]);

/** Whether the status is final. @param {string} status */
export const ended = status => ends.has(status);

/** Whether a courier or carrier has the goods. @param {string} status */
export const inCustody = status => !ends.has(status) && !before.has(status);
