package notify_test

import (
	"context"
	"sync"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/notify"
)

// recorder is a channel that takes everything, to e-mail addresses.
type recorder struct {
	mu   sync.Mutex
	sent []notify.Message
	name []string
}

func (c *recorder) channel(name string, paid bool) *notify.Channel {
	return &notify.Channel{
		Name: name, Paid: paid, Address: func(o *domain.Order) string { return o.Customer.Email },
		Send: func(_ context.Context, m notify.Message) notify.Outcome {
			c.mu.Lock()
			defer c.mu.Unlock()
			c.sent, c.name = append(c.sent, m), append(c.name, name)
			return notify.Outcome{}
		},
	}
}

func (c *recorder) all() []notify.Message {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]notify.Message{}, c.sent...)
}

// names lists what was sent about an order, as "channel text".
func (c *recorder) names(orderID string) []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	out := []string{}
	for i, m := range c.sent {
		if m.OrderID == orderID {
			out = append(out, c.name[i]+" accepted")
		}
	}
	return out
}

func (c *recorder) texts(orderID string) (out []string) {
	for _, m := range c.all() {
		if m.OrderID == orderID {
			out = append(out, m.Text)
		}
	}
	return out
}
