package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strconv"
	"time"

	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// replayBatch is how many positions are sent at a time when nobody waits for the clock.
const replayBatch = 200

// replayFlags is how a trail is replayed.
type replayFlags struct {
	courier string
	speed   float64
	pace    float64
}

func replayCommand(e *env) *cobra.Command {
	var f replayFlags
	cmd := &cobra.Command{
		Use: "replay FILE", Short: "Drive a courier along a recorded trail, a .gpx or .csv file", Args: cobra.ExactArgs(1),
		Example: `  order-tracking replay monday.gpx --courier Ivan
  order-tracking replay monday.gpx --speed 4      four times as fast as it was
  order-tracking replay monday.csv --speed 0      at once, as if the last place were now`,
	}
	r := e.remoteFlags(cmd)
	fs := cmd.Flags()
	fs.StringVar(&f.courier, "courier", "", "the `COURIER` to drive, by id or name; else a new one")
	fs.Float64Var(&f.speed, "speed", 1, "how many `times` as fast as recorded; 0 sends all at once, in the past")
	fs.Float64Var(&f.pace, "pace", 8, "metres per second where the file has no times")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !(f.speed >= 0) || !(f.pace > 0 && f.pace <= 100) {
			return errors.New("--speed must not be negative, --pace more than 0 and at most 100")
		}
		trail, err := readTrail(args[0])
		if err != nil {
			return err
		}
		if err := setTimes(trail, f.pace); err != nil {
			return err
		}
		r.patience = watchPatience
		c, err := r.connect()
		if err != nil {
			return err
		}
		id, err := replayCourier(cmd.Context(), c, f.courier, args[0])
		if err != nil {
			return err
		}
		got, err := replayTrail(cmd.Context(), c, id, trail, f.speed)
		if err != nil {
			return err
		}
		return r.show(map[string]any{"courier_id": id, "accepted": got.Accepted, "dropped": got.Dropped}, func(w io.Writer) {
			field(w, "Courier", id)
			field(w, "Accepted", strconv.Itoa(got.Accepted))
			field(w, "Dropped", strconv.Itoa(got.Dropped))
		})
	}
	return cmd
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

// setTimes gives a trail without times those of a steady pace. Half of them are no use.
func setTimes(trail []fix, pace float64) error {
	timed := 0
	for _, p := range trail {
		if !p.at.IsZero() {
			timed++
		}
	}
	switch timed {
	case len(trail):
		for i := 1; i < len(trail); i++ {
			if trail[i].at.Before(trail[i-1].at) {
				return fmt.Errorf("the time of place %d is before that of the one before it", i+1)
			}
		}
		return nil
	case 0:
	default:
		return fmt.Errorf("%d of %d places have a time: all or none must", timed, len(trail))
	}
	at := time.Unix(0, 0)
	for i := range trail {
		if i > 0 {
			at = at.Add(time.Duration(distanceM(trail[i-1].Point, trail[i].Point) / pace * float64(time.Second)))
		}
		trail[i].at = at
	}
	return nil
}

// replayTrail reports the places of a trail, each when its time has come. With a speed
// of 0 the last one is now, and nobody waits.
func replayTrail(ctx context.Context, c *client.Client, id string, trail []fix, speed float64) (client.Received, error) {
	var total client.Received
	send := func(batch []client.Position) error {
		got, err := c.ReportPositions(ctx, id, batch)
		total.Accepted += got.Accepted
		total.Dropped += got.Dropped
		return err
	}
	start := time.Now()
	if speed == 0 {
		shift := start.Sub(trail[len(trail)-1].at)
		for from := 0; from < len(trail); from += replayBatch {
			var batch []client.Position
			for _, p := range trail[from:min(from+replayBatch, len(trail))] {
				batch = append(batch, client.Position{Lat: p.Lat, Lon: p.Lon, RecordedAt: p.at.Add(shift)})
			}
			if err := send(batch); err != nil {
				return total, err
			}
		}
		return total, nil
	}
	for i, p := range trail {
		due := start.Add(time.Duration(float64(p.at.Sub(trail[0].at)) / speed))
		if !until(ctx, due) {
			return total, nil // told to stop
		}
		at := client.Position{Lat: p.Lat, Lon: p.Lon, RecordedAt: due}
		if i > 0 {
			at.Heading = client.Ptr(headingOf(trail[i-1].Point, p.Point))
		}
		if err := send([]client.Position{at}); err != nil {
			return total, err
		}
	}
	return total, nil
}

// until waits; false when the context ended first.
func until(ctx context.Context, t time.Time) bool {
	timer := time.NewTimer(time.Until(t))
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}
