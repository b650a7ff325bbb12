// Command accessdoc generates docs/access.md from the permission table, so that the
// document cannot differ from the code.
//
//go:generate go run . ../../docs/access.md
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

Every caller has a role, given by its key, session, JWT or share link. A role may do what the table allows and nothing
else (403 *forbidden*), and only to what it owns: what belongs to somebody else looks as if it did not exist (404), and
lists, searches and counts leave it out. The role of an account at an identity provider comes from its tokens:
[signing in](sign-in.md).

| role | owns |
| --- | --- |
| admin, dispatcher | everything |
| merchant | orders of its merchant, and the merchant |
| partner | orders of its merchant: read-only, without phone numbers and e-mail addresses |
| courier | itself, and the orders assigned to it |
| customer | the order of its share link |
| monitor | nothing; it reads metrics |

## Operations

● allowed · – not allowed. "Open" operations need no credential, or have one in their URL.

| operation | gRPC | about | admin | dispatcher | merchant | partner | courier | customer | monitor |
| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |
`

const between = `
## What the views of an order show

Staff see everything. Merchants and couriers see the order's courier, and the courier's position from custody to the end.
Customers see the order's status, time window and timeline, and what this table adds. Their timeline contains status changes,
*courier.near* and *order.late*, without actor, reason and place. Customers see positions as far as the merchant's
rule allows (privacy.show_courier: custody, out_for_delivery, metres:N, minutes:N or stops_before:N). Nobody sees positions that were recorded
before custody or more than 30 minutes ago, and only staff see positions after the end.

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
