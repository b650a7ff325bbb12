package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// watchPatience is how long a watch retries an unreachable server.
const watchPatience = time.Minute

func watchCommand(e *env) *cobra.Command {
	var history bool
	cmd := &cobra.Command{
		Use: "watch ORDER", Short: "Watch an order live until it is finished",
		Example: `  order-tracking watch A-1042
  order-tracking watch A-1042 --history --json | jq .type`,
	}
	r := e.remoteFlags(cmd)
	cmd.Flags().BoolVar(&history, "history", false, "show earlier events, too")
	return r.on(cmd, orderID, func(ctx context.Context, _ *client.Client, args []string) error {
		r.patience = watchPatience // the lookup of the order used the shorter default
		c, err := r.connect()
		if err != nil {
			return err
		}
		since := client.FromNow
		if history {
			since = 0
		}
		v := &viewer{printer: r.printer, live: terminal(r.stdout)}
		defer v.clear()
		for frame, err := range c.Watch(ctx, args[0], since) {
			if ctx.Err() != nil {
				return nil // interrupted
			}
			if err != nil {
				return err
			}
			if err := v.show(frame); err != nil {
				return err
			}
		}
		return nil
	})
}

// viewer prints a live stream. On a terminal the order's position stays on the last
// line, which is overwritten.
type viewer struct {
	printer
	live     bool
	met      bool   // a snapshot was received
	last     string // the last line, when live
	position string
	expected string
}

func (v *viewer) show(f client.Frame) error {
	if v.json {
		return v.printJSON(struct {
			Type    client.FrameType `json:"type"`
			OrderID string           `json:"order_id"`
			Version int64            `json:"version,omitempty"`
			At      time.Time        `json:"at"`
			Data    json.RawMessage  `json:"data,omitempty"`
		}{f.Type, f.OrderID, f.Version, f.At, f.Data})
	}
	switch f.Type {
	case client.FrameSnapshot:
		return v.snapshot(f)
	case client.FrameStatus:
		return v.line(f.At, v.event(f.Event))
	case client.FramePosition:
		v.position = coordinates(f.Position.Lat, f.Position.Lon)
		return v.moving(f.At, "at "+v.position)
	case client.FrameETA:
		v.expected = expected(f.Estimate)
		return v.moving(f.At, "expected "+v.expected)
	case client.FrameNotification:
		return v.line(f.At, "the customer was told: "+f.Notification.Text)
	case client.FrameEnd:
		return v.line(f.At, "the order is finished")
	}
	return nil
}

// snapshot prints the order at the start; after a reconnect only what no other frame reports.
func (v *viewer) snapshot(f client.Frame) error {
	s := f.Snapshot
	if s.Position != nil {
		v.position = coordinates(s.Position.Lat, s.Position.Lon)
	}
	if s.ETA != nil && s.DeliveredAt == nil {
		v.expected = expected(s.ETA)
	}
	if v.met {
		return v.foot()
	}
	v.met = true
	parts := []string{fmt.Sprintf("%s for %s is %s", s.Number, s.Customer.Name, s.Status)}
	if s.Courier != nil {
		parts = append(parts, "with "+s.Courier.Name)
	}
	parts = append(parts, "to "+where(&s.Dropoff))
	return v.line(f.At, strings.Join(parts, ", "))
}

func (v *viewer) event(e *client.Event) string {
	text := e.Type
	switch e.Type {
	case "order.created":
		text = "created"
	case "order.status_changed":
		text = string(e.PreviousStatus) + " → " + string(e.Status)
	case "order.changed":
		if fields, ok := e.Data["fields"].([]any); ok {
			text = "changed: " + strings.Trim(fmt.Sprint(fields), "[]")
		}
	case "order.exception":
		text = "exception"
		if code, ok := e.Data["code"].(string); ok {
			text += ": " + code
		}
	}
	text += ", by " + by(*e)
	if e.Reason != "" {
		text += ", because " + strconv.Quote(e.Reason)
	}
	if late := e.RecordedAt.Sub(e.OccurredAt).Round(time.Second); late >= time.Minute {
		text += fmt.Sprintf(" (happened %s before)", late)
	}
	return text
}

// line prints a permanent line.
func (v *viewer) line(at time.Time, text string) error {
	v.clear()
	if _, err := fmt.Fprintf(v.stdout, "%s  %s\n", at.Local().Format("15:04:05"), dash(text)); err != nil {
		return err
	}
	return v.foot()
}

// moving prints values that change constantly, on a terminal on the last line.
func (v *viewer) moving(at time.Time, text string) error {
	if v.live {
		return v.foot()
	}
	return v.line(at, text)
}

// foot writes the last line of a terminal.
func (v *viewer) foot() error {
	if !v.live {
		return nil
	}
	var parts []string
	if v.position != "" {
		parts = append(parts, "at "+v.position)
	}
	if v.expected != "" {
		parts = append(parts, "expected "+v.expected)
	}
	v.clear()
	v.last = strings.Join(parts, ", ")
	_, err := fmt.Fprint(v.stdout, v.last)
	return err
}

// clear erases the last line of a terminal.
func (v *viewer) clear() {
	if v.live && v.last != "" {
		_, _ = fmt.Fprint(v.stdout, "\r\x1b[K") // a write error shows on the next line
		v.last = ""
	}
}
