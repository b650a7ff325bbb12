// Package dispatch plans which courier carries which order.
//
// The planner is pure: Plan takes the waiting orders, the couriers and the time, and
// returns a plan; it reads no clock, does no I/O and is deterministic. It considers all
// orders and couriers together. Each courier gets a sequence of trips: a trip goes to one
// pick-up place and delivers one or several of its orders. Orders are inserted by regret
// (first the order that would lose most by waiting), then parts of the plan are removed and
// reinserted where that improves it. The objective is the time from placing an order to its
// drop-off, weighted by priority, plus a penalty for lateness.
// An order is assigned only when its courier must leave, because a later plan knows more;
// until then the plan is only a forecast.
package dispatch
