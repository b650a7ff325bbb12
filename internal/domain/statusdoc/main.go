// Command statusdoc writes docs/status.md from the status table: the diagram and the
// table that people read can't differ from what the product does.
//
//go:generate go run . ../../../docs/status.md
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
	domain.StatusCreated:        "the order is known",
	domain.StatusConfirmed:      "somebody will see to it; no courier yet",
	domain.StatusAssigned:       "a courier or carrier has it to do",
	domain.StatusAtPickup:       "the courier is where the goods are",
	domain.StatusPickedUp:       "the goods were handed to the courier or carrier",
	domain.StatusInTransit:      "between places, such as a carrier's depots",
	domain.StatusOutForDelivery: "on the way to the customer",
	domain.StatusAtDropoff:      "the courier is at the customer's door",
	domain.StatusReadyForPickup: "waits at a pick-up point for the customer",
	domain.StatusDeliveryFailed: "a try to hand it over failed; another may follow",
	domain.StatusReturning:      "on the way back to the sender",
	domain.StatusDelivered:      "the customer has it",
	domain.StatusReturned:       "the sender has it again",
	domain.StatusCancelled:      "called off before the goods were handed over",
	domain.StatusFailed:         "lost, destroyed or given up",
}

const before = "<!-- Generated from internal/domain/status.go by `go generate ./...`; do not edit. -->\n\n" + `# Statuses of an order

` + "```mermaid" + `
stateDiagram-v2
    direction LR
`

const between = "```" + `

| status | what it means | what may follow | goods |
| --- | --- | --- | --- |
`

const after = `
"Goods" says who holds them: the sender, the courier or carrier on the order's behalf, or nobody any more because
the order is finished. An order can be cancelled only while the sender holds them; afterwards it is sent *returning*.
Positions of the courier are shown only while the courier holds them.

## People move, machines observe

People and apps (REST, gRPC) take the steps of the table and no others: an illegal step is refused with the steps
that are possible (409 ` + "`illegal_transition`" + `, or ` + "`cancel_after_pickup`" + `). Asking for the status
that the order has changes nothing and is no error. *assigned* needs a courier, so the assign-courier operation does it;
*confirmed* takes the courier away.

Machines (messages of ` + "`order_status_updates`" + `, carriers, fences around places) report what happened. A report may skip
forward along any path of the table. It is *late* when no path leads from where the order stands to its status, or when
the same source has already reported something newer; it then enters the history and leaves the order alone. So the
scans of one carrier after the pick-up, shuffled and repeated, end in the same status as in their own order.

"On hold", "wrong address", "damaged" are no statuses: an order has an ` + "`exception`" + ` beside its status.
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
		return "nothing"
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
