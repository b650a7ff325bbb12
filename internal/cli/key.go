package cli

import (
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

func keyCommand(e *env) *cobra.Command {
	cmd := group("key", "Make, list, rotate and revoke keys; KEY is an id")
	r := e.remoteFlags(cmd)
	cmd.AddCommand(keyCreate(r), keyList(r), keyRotate(r), keyRevoke(r))
	return cmd
}

func describeKey(w io.Writer, k *client.IssuedKey) {
	field(w, "Key", k.Secret)
	field(w, "", "it is shown this once")
	field(w, "Id", k.ID)
	field(w, "Name", k.Name)
	field(w, "Role", k.Role)
	field(w, "Merchant", k.MerchantID)
	field(w, "Courier", k.CourierID)
	if k.ExpiresAt != nil {
		field(w, "Expires", clock(*k.ExpiresAt))
	}
}

func keyCreate(r *remote) *cobra.Command {
	var in client.NewKey
	cmd := &cobra.Command{Use: "create", Short: "Create a key; it is shown only once"}
	fs := cmd.Flags()
	fs.StringVar(&in.Name, "name", "", "the key's `name`")
	fs.StringVar(&in.Role, "role", "", "`role`: admin, dispatcher, merchant, courier, partner or monitor")
	fs.StringVar(&in.MerchantID, "merchant", "", "the `merchant` of a merchant's or a partner's key")
	courier := fs.String("courier", "", "the `courier` of a courier's key, an id or a name")
	momentVar(fs, &in.ExpiresAt, "expires", "expiry, a `time` or a duration from now")
	completeFlag(cmd, "role", "admin", "dispatcher", "merchant", "courier", "partner", "monitor")
	return ask(r, cmd, nil, func(ctx context.Context, c *client.Client, _ []string) (_ *client.IssuedKey, err error) {
		if *courier != "" {
			if in.CourierID, err = courierID(ctx, c, *courier); err != nil {
				return nil, err
			}
		}
		return c.CreateKey(ctx, in)
	}, describeKey)
}

func keyList(r *remote) *cobra.Command {
	var l listing
	cmd := &cobra.Command{Use: "list", Short: "List keys, newest first"}
	l.flags(cmd)
	return r.on(cmd, nil, func(ctx context.Context, c *client.Client, _ []string) error {
		return list(r, c.Keys(ctx, l.page()), l, "NAME\tROLE\tOF\tBEGINS\tLAST USED\tEXPIRES\tID", func(k *client.Key) string {
			return strings.Join([]string{
				k.Name, k.Role, dash(k.MerchantID + k.CourierID), k.Prefix, maybe(k.LastUsedAt), maybe(k.ExpiresAt), k.ID,
			}, "\t")
		})
	})
}

// maybe formats an optional time.
func maybe(t *time.Time) string {
	if t == nil {
		return "-"
	}
	return clock(*t)
}

func keyRotate(r *remote) *cobra.Command {
	cmd := &cobra.Command{Use: "rotate KEY", Short: "Rotate a key; the old one stays valid for a while"}
	overlap := cmd.Flags().Duration("overlap", 24*time.Hour, "how `long` the old one goes on")
	return ask(r, cmd, nil, func(ctx context.Context, c *client.Client, args []string) (*client.IssuedKey, error) {
		return c.RotateKey(ctx, args[0], *overlap)
	}, describeKey)
}

func keyRevoke(r *remote) *cobra.Command {
	return r.on(&cobra.Command{Use: "revoke KEY", Short: "Revoke a key and close its sessions and streams"}, nil,
		func(ctx context.Context, c *client.Client, args []string) error {
			if err := c.RevokeKey(ctx, args[0]); err != nil {
				return err
			}
			_, err := fmt.Fprintln(r.stderr, "revoked")
			return err
		})
}
