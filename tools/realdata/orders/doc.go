// Package orders drives recorded motorbike orders through the running product and
// compares all that it shows afterwards with what the rows say.
//
// # What a row becomes
//
// The rider becomes a courier, the row an order with its coordinates, made by REST.
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
// all orders, with the event ids that they had. All this must change nothing.
//
// # What is expected of times that run backwards
//
// The product compares the reports of one source by time and what people and apps do
// not. Row by row, from the row's own times:
//
//   - placed is a report of created, which the order is already: it tells nothing new
//     and enters the history as order.report_late.
//   - A report older than one that the source sent before is late, whatever it says:
//     order.report_late, the order stays as it is. So where a row was confirmed before
//     it was placed, confirmed is late and the order goes from created straight to assigned.
//   - A report to whose status no path leads is late too: at_pickup after picked_up.
//   - Equal times are not older.
//   - Where picked_up was late, the driver takes the order to picked_up as a person, by
//     PATCH with the recorded time, which no rule compares, and then delivers.
//   - delivered is a person's step: its time is kept as it is, also when it is before
//     picked_up.
//
// A late report changes no version and is not published; a report counts once, by its
// event_id, when it comes the first time.
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
// # Servers that die
//
// Every call is repeated until a deadline: POSTs and AssignCourier with the same
// idempotency key, steps to a status because repeating them is no step, reports because
// their event_id makes them count once. So the product may be killed and started again
// at any moment, and the same is expected of it. See with-kills.sh.
package orders
