package carrier

import (
	"context"
	"net/url"
	"path"
	"slices"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// ParseHooks decodes a company's webhook: one message or an array of them.
func (c *Client) ParseHooks(raw []byte, decode func(Node) domain.CarrierHook) ([]domain.CarrierHook, error) {
	n, err := Parse(raw)
	if err != nil {
		return nil, &domain.CarrierError{Carrier: c.Carrier, Class: domain.ClassPermanent, Message: "the hint is not JSON", Cause: err}
	}
	list := n.List()
	if _, several := n.value.([]any); !several {
		list = []Node{n}
	}
	var out []domain.CarrierHook
	for _, one := range list {
		h := decode(one)
		c.CountUnknown(h.Event)
		out = append(out, h)
	}
	return out, nil
}

// Subscribe subscribes to the kinds of webhooks that are not active yet, most useful first.
// Companies limit their number, so only a failure of the first is an error.
func Subscribe(ctx context.Context, wanted, active []string, subscribe func(ctx context.Context, kind string) error) ([]string, error) {
	var out []string
	for _, kind := range wanted {
		if !slices.Contains(active, kind) {
			if err := subscribe(ctx, kind); err != nil {
				if len(out) == 0 {
					return nil, err
				}
				return out, nil
			}
		}
		out = append(out, kind)
	}
	return out, nil
}

// SameHook reports whether two URLs end in the same path and secret, as those of a server
// that has moved do.
func SameHook(a, b string) bool {
	one, errA := url.Parse(a)
	two, errB := url.Parse(b)
	return errA == nil && errB == nil && path.Base(one.Path) == path.Base(two.Path) && path.Base(two.Path) != "/" && path.Base(two.Path) != "."
}

// Remarks reads a list of codes and messages.
func Remarks(list Node) []domain.CarrierMessage {
	return Each(list, func(m Node) domain.CarrierMessage {
		return domain.CarrierMessage{Code: m.Text("code"), Message: m.Text("message")}
	})
}
