package cli

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/pkg/client"
)

func TestKeysFromTheCommandLine(t *testing.T) {
	r := start(t)
	r.run("courier", "create", "--name", "Oleg").ok()
	made := r.run("key", "create", "--name", "shop", "--role", "merchant", "--merchant", "m1", "--expires", "1h", "--json").json()
	secret, id := made["key"].(string), made["id"].(string)
	require.Contains(t, r.run("key", "create", "--name", "phone", "--role", "courier", "--courier", "oleg").ok(), "ot_cou_")
	listed := r.run("key", "list").ok()
	require.Contains(t, listed, "shop")
	require.Contains(t, listed, made["prefix"].(string))
	require.NotContains(t, listed, secret)

	shop, err := client.New(r.server, client.WithKey(secret))
	require.NoError(t, err)
	o, err := shop.CreateOrder(t.Context(), client.Draft{Customer: client.Customer{Name: "Anna"}, Dropoff: &client.Place{Address: "x"}})
	require.NoError(t, err)
	require.Equal(t, "m1", o.MerchantID)
	share, err := shop.ShareOrder(t.Context(), o.ID, client.Ptr(time.Now().Add(time.Hour)))
	require.NoError(t, err)
	require.Contains(t, share.URL, "/t/"+share.Token)

	next := r.run("key", "rotate", id, "--overlap", "0s", "--json").json()
	_, err = shop.Order(t.Context(), o.ID)
	require.Equal(t, "unauthenticated", client.CodeOf(err))
	shop, err = client.New(r.server, client.WithKey(next["key"].(string)))
	require.NoError(t, err)
	_, err = shop.Order(t.Context(), o.ID)
	require.NoError(t, err)
	r.run("key", "revoke", next["id"].(string)).ok()
	_, err = shop.Order(t.Context(), o.ID)
	require.Equal(t, "unauthenticated", client.CodeOf(err))
	r.run("key", "revoke", next["id"].(string)).fails("no key")
	r.run("key", "create", "--name", "a", "--role", "king").fails("role")
}

func TestVerifyingTheAuditOfAnEmptyDatabase(t *testing.T) {
	r := &rig{t: t}
	out := r.run("audit", "verify", "--database-url=sqlite://"+t.TempDir()+"/a.db").ok()
	require.Contains(t, out, "0 entries")
}
