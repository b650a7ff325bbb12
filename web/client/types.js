// What streams carry, and the options of a connection.
/**
 * @typedef {object} Frame
 * @property {"snapshot"|"status"|"note"|"position"|"positions"|"eta"|"notification"|"offer"|"route"|"ping"|"end"|"ack"|"error"|"reset"} type
 * @property {string} [order_id]
 * @property {number} [version] the order's; on snapshots and statuses
 * @property {string} at        RFC 3339
 * @property {any} [data]       by type: Snapshot, OrderEvent, Position, Fleet, Estimate, Notification,
 *                              topics (ack), Problem (error); see /asyncapi.yaml
 *
 * @typedef {{lat: number, lon: number}} Point degrees, WGS 84
 * @typedef {Point & {courier_id: string, recorded_at: string, accuracy?: number, speed?: number, heading?: number}} Position
 *   metres, metres a second, degrees clockwise from north
 * @typedef {{couriers: Position[]}} Fleet
 * @typedef {{id: string, status: string, version: number, courier?: object, position?: Position}} Snapshot the order
 * @typedef {{id: string, seq: number, type: string, status: string, previous_status?: string, occurred_at: string}} OrderEvent
 * @typedef {{eta: string, earliest: string, latest: string, minutes_remaining: number, method: string}} Estimate
 * @typedef {{notification_id: string, channel: string, text: string}} Notification
 * @typedef {{code: string, status: number, title: string, detail?: string, instance?: string, retryAfter?: number}} Problem RFC 9457
 *
 * @typedef {object} Options
 * @property {string} [base]    the server's address; default: this script's origin
 * @property {string} [key]     a key or JWT of the caller
 * @property {string} [token]   of a share link, in place of a key
 * @property {() => Promise<string>} [ticket] fetches a ticket from the page's own server, which has the key
 * @property {Record<string, (frame: Frame) => void>} [on] handlers of frames by type; "*" handles all
 * @property {(state: "connecting"|"open"|"waiting"|"closed") => void} [state]
 * @property {(why: Problem|null) => void} [ended] called when the stream ends on its own; null: the order is finished
 * @property {number} [silence] milliseconds of silence after which the connection counts as broken
 */
export {};
