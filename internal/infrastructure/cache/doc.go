// Package cache implements domain.LiveStore: copies of hot orders and the newest
// position of each courier.
//
// Memory is the one of a single process. An order is kept only while no newer one is
// known, and orders that are read seldom make room for others. Positions are in a tree
// of cells that answers exactly who is nearest.
//
// Nothing here decides anything or has to survive: what is lost is read from the
// store again, or comes with a courier's next position.
package cache
