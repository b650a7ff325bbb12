// Command accessdoc generates docs/access.md from the permission table, so that the
// document cannot differ from the code.
//
//go:generate go run . ../../../docs/access.md
package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "accessdoc: which file?")
		os.Exit(2)
	}
	if err := os.WriteFile(os.Args[1], []byte(document()), 0o644); err != nil { //nolint:gosec // a document, for everyone
		fmt.Fprintln(os.Stderr, "accessdoc:", err)
		os.Exit(1)
	}
}

const before = "<!-- Generated from internal/access/permissions.go and internal/domain/view.go by `go generate ./...`; do not edit. -->\n\n" + `# Who may do what

Everybody who calls has a role: by the key, session, JWT or link that they show. A role may do what the table says and
nothing else (403 *forbidden*), and only to what is its own: what belongs to somebody else answers as if it were not
there (404), and lists, searches and counts leave it out.

| role | what is its own |
| --- | --- |
| admin, dispatcher | everything |
| merchant | orders of its merchant, and the merchant |
| partner | orders of its merchant, to read, without phone numbers and e-mail addresses |
| courier | itself, and the orders assigned to it |
| customer | the one order that the share link shows |
| monitor | nothing; it reads metrics |

## Operations

● may · – may not. "Open" needs no credential, or its address holds one.

| operation | gRPC | about | admin | dispatcher | merchant | partner | courier | customer | monitor |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
`

const between = `
## What an order's views show

Staff see everything. Merchants and couriers see who carries the order, and where that is from custody to the end.
Customers see the order's status, window and timeline, and beside them what this table says; of the timeline, changes of
the status, *courier.near* and *order.late*, without who did it, why and where. Positions are shown to customers as far
as the merchant's rule says (privacy.show_courier: custody, out_for_delivery or metres:N), to nobody when they were
recorded before custody or more than 30 minutes ago, and after the end to nobody but staff.

| status | courier's first name and vehicle | courier's position |
| --- | --- | --- |
`

func document() string {
	var b strings.Builder
	b.WriteString(before)
	columns := []domain.Role{
		domain.RoleAdmin, domain.RoleDispatcher, domain.RoleMerchant, domain.RolePartner, domain.RoleCourier,
		domain.RoleCustomer, domain.RoleMonitor,
	}
	for _, o := range access.Table() {
		fmt.Fprintf(&b, "| %s | %s | %s |", o.ID, o.RPC, o.Object)
		for _, r := range columns {
			switch {
			case o.Open:
				b.WriteString(" open |")
			case o.Allows(r):
				b.WriteString(" ● |")
			default:
				b.WriteString(" – |")
			}
		}
		b.WriteString("\n")
	}
	b.WriteString(between)
	someone := &domain.Courier{Name: "Somebody"}
	for _, s := range domain.Statuses() {
		place := "–"
		if s.ShowsPlace() {
			place = "by the rule"
		}
		name := "–"
		if someone.For(domain.ViewCustomer, s) != nil {
			name = "●"
		}
		fmt.Fprintf(&b, "| %s | %s | %s |\n", s, name, place)
	}
	return b.String()
}
