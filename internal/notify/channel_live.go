package notify

import (
	"context"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Live adds messages to the order's history, which everyone who watches it sees at once.
func Live(note func(ctx context.Context, orderID string, data map[string]any) error) *Channel {
	return &Channel{
		Name:    channelLive,
		Address: func(o *domain.Order) string { return o.ID },
		Send: func(ctx context.Context, m Message) Outcome {
			return Outcome{Err: note(ctx, m.OrderID, map[string]any{"notification_id": m.ID, "channel": channelLive, "text": m.Text})}
		},
	}
}
