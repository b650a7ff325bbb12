// Package dispatch says who carries what.
//
// The planner is pure: Plan takes the orders that wait, the couriers and the time, and
// returns a plan; it reads no clock, does no I/O and of equal input makes the equal plan.
// It looks at all orders and all couriers together. Each courier gets trips, one after
// another: a trip goes to one pick-up place and drops off one or several of its orders.
// Orders are put in by regret (first the one that would lose most by waiting for its
// turn), and then parts of the plan are taken out and put in again where that makes it
// better. What counts is the time from placing an order to its drop-off, weighted by
// priority, and more once it is later than promised.
//
// An order is given only when its courier must leave, or else the plan would be made
// again with less known than could be: until then it is told where it will probably go.
package dispatch
