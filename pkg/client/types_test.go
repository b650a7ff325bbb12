package client_test

import (
	"reflect"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/pkg/client"
)

// What the server shows of an order and of what is in it has a field here, and
// nothing else has.
func TestOrdersHaveTheFieldsOfTheServer(t *testing.T) {
	want := fieldsOf(reflect.TypeFor[domain.Order](), "")
	require.Contains(t, want, "/shipment/events/reason_code", "the walk reaches what is in it")
	require.ElementsMatch(t, want, fieldsOf(reflect.TypeFor[client.Order](), ""))
}

func TestStatusesAreTheServers(t *testing.T) {
	var want []client.Status
	for _, s := range domain.Statuses() {
		want = append(want, client.Status(s))
	}
	require.Equal(t, want, client.Statuses())
}

// fieldsOf lists the JSON fields of a type and of the types in it, as paths.
func fieldsOf(v reflect.Type, at string) []string {
	for v.Kind() == reflect.Pointer || v.Kind() == reflect.Slice {
		v = v.Elem()
	}
	var out []string
	if v.Kind() != reflect.Struct {
		return out
	}
	for f := range v.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "" || name == "-" {
			continue
		}
		out = append(out, at+"/"+name)
		out = append(out, fieldsOf(f.Type, at+"/"+name)...)
	}
	return out
}
