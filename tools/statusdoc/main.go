// Command statusdoc writes docs/status.md from the status table: the diagram and the
// table that people read can't differ from what the product does.
//
//go:generate go run . ../../docs/status.md
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "statusdoc: which file?")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(document()), 0o644); err != nil { //nolint:gosec // a document, for everyone
		fmt.Fprintln(os.Stderr, "statusdoc:", err)
		os.Exit(1)
	}
}

// meanings describes each status in words.
var meanings = map[domain.Status]string{
	domain.StatusCreated:        "the order exists; nobody has looked at it yet",
	domain.StatusConfirmed:      "accepted by the shop; no courier yet",
	domain.StatusAssigned:       "given to a courier or carrier",
	domain.StatusAtPickup:       "the courier is at the pickup address",
	domain.StatusPickedUp:       "the goods were handed to the courier or carrier",
	domain.StatusInTransit:      "under way, for example between a carrier's depots",
	domain.StatusOutForDelivery: "on the way to the customer",
	domain.StatusAtDropoff:      "the courier is at the customer's door",
	domain.StatusReadyForPickup: "waiting for the customer at a pickup point",
	domain.StatusDeliveryFailed: "a delivery attempt failed; another may follow",
	domain.StatusReturning:      "on the way back to the sender",
	domain.StatusDelivered:      "the customer has it",
	domain.StatusReturned:       "back with the sender",
	domain.StatusCancelled:      "cancelled before the goods were handed over",
	domain.StatusFailed:         "lost, destroyed or given up",
}

const before = "<!-- Generated from internal/domain/status.go by `go generate ./...`; do not edit. -->\n\n" + `# Statuses of an order

` + "```mermaid" + `
stateDiagram-v2
    direction LR
`

const between = "```" + `

| status | meaning | next statuses | goods |
| --- | --- | --- | --- |
`

const after = `
"Goods" is who holds them: the sender, or the courier or carrier; a finished order is in nobody's hands.
An order can be cancelled only while the sender holds the goods; after that it can be sent *returning*. The courier's
position is shown only while the courier holds them.

## People move, machines observe

People and apps (REST, gRPC) follow the table strictly: an illegal step is rejected, and the error lists the allowed
steps (409 ` + "`illegal_transition`" + ` or ` + "`cancel_after_pickup`" + `). Requesting the current status
is a no-op. *assigned* needs a courier and is set by the assign-courier operation; *confirmed* unassigns the courier.

Machines (messages of ` + "`order_status_updates`" + `, carriers, geofences) report what happened. A report may skip
forward along any path of the table. It is *late* if no path leads from the current status to the reported one, or if
the same source has already reported something newer; a late report is kept in the history and does not change the order.
So the scans of one carrier after pickup end in the same status in whatever order, and however often, they arrive.

"On hold", "wrong address" and "damaged" are not statuses: an order has an ` + "`exception`" + ` in addition to its status.
`

// document is the whole file.
func document() string {
	var b strings.Builder
	b.WriteString(before)
	fmt.Fprintf(&b, "    [*] --> %s\n", domain.StatusCreated)
	for _, t := range domain.Transitions() {
		for _, to := range t.To {
			fmt.Fprintf(&b, "    %s --> %s%s\n", t.From, to, label(t.From, to))
		}
		if t.From.Terminal() {
			fmt.Fprintf(&b, "    %s --> [*]\n", t.From)
		}
	}
	b.WriteString(between)
	for _, t := range domain.Transitions() {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", t.From, meanings[t.From], list(t.To), goods(t.From))
	}
	b.WriteString(after)
	return b.String()
}

// label explains the steps that do not explain themselves.
func label(from, to domain.Status) string {
	switch {
	case from == to:
		return ": another courier"
	case to == domain.StatusConfirmed && from != domain.StatusCreated:
		return ": courier withdrawn"
	}
	return ""
}

func list(statuses []domain.Status) string {
	if len(statuses) == 0 {
		return "none"
	}
	names := make([]string, len(statuses))
	for i, s := range statuses {
		names[i] = "`" + string(s) + "`"
	}
	return strings.Join(names, ", ")
}

func goods(s domain.Status) string {
	switch {
	case s.BeforeCustody():
		return "sender"
	case s.InCustody():
		return "courier"
	}
	return "finished"
}
