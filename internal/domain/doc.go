// Package domain holds the product's types and rules: orders and their status machine, couriers, positions, money, phone
// numbers, validation and the ports that the rest of the system implements.
//
// It is pure: no I/O, no logging, no goroutines, no clock of its own. Values that came out of a store are shared between
// goroutines and must be treated as immutable; to change an order, call the store's UpdateOrder.
package domain
