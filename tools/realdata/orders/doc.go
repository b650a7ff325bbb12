// Package orders replays recorded motorbike orders through the running product and
// compares everything it returns afterwards with the recorded rows.
//
// # How a row is replayed
//
// The rider becomes a courier, the row an order with its coordinates, created over REST.
// placed and confirmed, then, after AssignCourier over gRPC, at_pickup and picked_up are
// reports on the topic order_status_updates, each with its own occurred_at, all from
// one source. The driver waits until the order got there (it reads order_updated)
// before the next step. delivered is a PATCH over REST for rows with an even index and
// UpdateOrderStatus over gRPC for the others, with occurred_at as recorded.
// The data hides its months: each takes the newest month of 31 days before 2026 that
// starts on the recorded weekday, so that every row has its own weekday.
//
// Every fourth row sends its reports twice, every eighth in another order, and when
// all orders are delivered a fifth of all reports is sent once more, shuffled over
// all orders, with their original event ids. None of this may change anything.
//
// # Times that run backwards
//
// The product compares the times of one source's reports, but not those of people and
// apps. For each row, from its own times:
//
//   - placed is a report of created, the order's current status, and enters the history
//     as order.report_late.
//   - A report older than an earlier one of the source is late, whatever its status:
//     order.report_late, the order stays as it is. So where a row was confirmed before
//     it was placed, confirmed is late and the order goes from created straight to assigned.
//   - A report of an unreachable status is late too: at_pickup after picked_up.
//   - Equal times are not older.
//   - Where picked_up was late, the driver takes the order to picked_up as a person, by
//     PATCH with the recorded time, which no rule compares, and then delivers.
//   - delivered is a person's step: its time is kept unchanged, even if it is before
//     picked_up.
//
// A late report changes no version and is not published; a report counts once, by its
// event_id, when it first arrives.
//
// # What is compared
//
// Every order of the run as GET shows it and as the list shows it; every entry of its
// history: seq, version, type, status, previous status, time, actor, source, reason,
// place, data; every message of order_created and order_updated from the start of the
// run: the event equal to the history's entry, exactly one for each change (messages
// with a ce_id that came before removed, and equal to the first), first appearances in
// version order, CloudEvents headers, the order as it stood; the dead-letter topic,
// which must have nothing of the run; each courier's orders and free hands.
//
// # Killed servers
//
// Every call is retried until a deadline: POSTs and AssignCourier with the same
// idempotency key; repeated status changes have no effect, and repeated reports are
// recognised by their event_id. So the product may be killed and restarted at any moment
// with the same expected results. See with-kills.sh.
package orders
