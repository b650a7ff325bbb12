package cli

import (
	"context"
	"fmt"
	"io"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// replayBatch is the number of positions per request when not replaying in real time.
const replayBatch = 200

func replayCommand(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use: "replay FILE", Short: "Move a courier along a recorded track, a .gpx or .csv file",
		Example: `  order-tracking replay monday.gpx --courier Ivan
  order-tracking replay monday.gpx --speed 4      four times as fast as it was
  order-tracking replay monday.csv --speed 0      at once, as if the last place were now`,
	}
	r := e.remoteFlags(cmd)
	fs := cmd.Flags()
	courier := fs.String("courier", "", "the `COURIER` to move, by id or name; default: a new one")
	speed := fs.Float64("speed", 1, "how many `times` as fast as recorded; 0 sends all at once, in the past")
	pace := fs.Float64("pace", 8, "metres per second where the file has no times")
	r.patience = watchPatience
	return r.on(cmd, nil, func(ctx context.Context, c *client.Client, args []string) error {
		if !(*speed >= 0) || !(*pace > 0 && *pace <= 100) {
			return usagef("--speed must not be negative, --pace more than 0 and at most 100")
		}
		trail, err := readTrail(args[0])
		if err == nil {
			err = setTimes(trail, *pace)
		}
		if err != nil {
			return err
		}
		id, err := replayCourier(ctx, c, *courier, args[0])
		if err != nil {
			return err
		}
		got, err := replayTrail(ctx, c, id, trail, *speed)
		if err != nil {
			return err
		}
		return r.show(map[string]any{"courier_id": id, "accepted": got.Accepted, "dropped": got.Dropped}, func(w io.Writer) {
			field(w, "Courier", id)
			fieldReceived(w, got)
		})
	})
}

func replayCourier(ctx context.Context, c *client.Client, name, file string) (string, error) {
	if name != "" {
		return courierID(ctx, c, name)
	}
	made, err := c.CreateCourier(ctx, client.CourierEdit{Name: client.Ptr("Replay of " + filepath.Base(file))})
	if err != nil {
		return "", err
	}
	return made.ID, nil
}

// setTimes gives a trail without times those of a steady pace. A trail with only some times is an error.
func setTimes(trail []client.Position, pace float64) error {
	timed := 0
	for i, p := range trail {
		if i > 0 && !p.RecordedAt.IsZero() && p.RecordedAt.Before(trail[i-1].RecordedAt) {
			return fmt.Errorf("the time of place %d is before that of the one before it", i+1)
		}
		if !p.RecordedAt.IsZero() {
			timed++
		}
	}
	switch timed {
	case len(trail):
		return nil
	case 0:
	default:
		return fmt.Errorf("%d of %d places have a time: all or none must", timed, len(trail))
	}
	at := time.Unix(0, 0)
	for i := range trail {
		if i > 0 {
			at = at.Add(time.Duration(distanceM(pointOf(trail[i-1]), pointOf(trail[i])) / pace * float64(time.Second)))
		}
		trail[i].RecordedAt = at
	}
	return nil
}

// replayTrail reports the places of a trail, each at its time. With a speed of 0 it
// doesn't wait and the last one is now.
func replayTrail(ctx context.Context, c *client.Client, id string, trail []client.Position, speed float64) (client.Received, error) {
	var total client.Received
	send := func(batch []client.Position) error {
		got, err := c.ReportPositions(ctx, id, batch)
		total.Accepted += got.Accepted
		total.Dropped += got.Dropped
		return err
	}
	start := time.Now()
	if speed == 0 {
		shift := start.Sub(trail[len(trail)-1].RecordedAt)
		for i := range trail {
			trail[i].RecordedAt = trail[i].RecordedAt.Add(shift)
		}
		for batch := range slices.Chunk(trail, replayBatch) {
			if err := send(batch); err != nil {
				return total, err
			}
		}
		return total, nil
	}
	for i, p := range trail {
		due := start.Add(time.Duration(float64(p.RecordedAt.Sub(trail[0].RecordedAt)) / speed))
		if sleep(ctx, time.Until(due)) != nil {
			return total, nil // interrupted
		}
		p.RecordedAt = due
		if i > 0 {
			p.Heading = client.Ptr(headingOf(pointOf(trail[i-1]), pointOf(p)))
		}
		if err := send([]client.Position{p}); err != nil {
			return total, err
		}
	}
	return total, nil
}

// sleep waits, unless the context ends first.
func sleep(ctx context.Context, d time.Duration) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(d):
		return nil
	}
}
