// Command realdata replays real data through a running product's public interfaces and
// verifies the results.
//
//	go run ./tools/realdata orders --file FILE --http HOST:PORT --grpc HOST:PORT --kafka HOST:PORT
//	go run ./tools/realdata pings --file FILE --http HOST:PORT --grpc HOST:PORT --via grpc|osmand
//	go run ./tools/realdata dispatch --instances DIR --out DIR, or --live NAME, or --tours N
//	go run ./tools/realdata eta --task A1|A2|A3|B1|B2|C|D --train FILE… --replay FILE… --out FILE, or --validate DIR
//
// The last line is PASS with exit code 0, or FAIL with exit code 1 after the first
// differences.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/order-tracking/order-tracking/tools/realdata/dispatch"
	"github.com/order-tracking/order-tracking/tools/realdata/eta"
	"github.com/order-tracking/order-tracking/tools/realdata/orders"
	"github.com/order-tracking/order-tracking/tools/realdata/pings"
)

// commands are the replays by data set.
var commands = map[string]func(ctx context.Context, args []string) int{
	"dispatch": dispatch.Main,
	"eta":      eta.Main,
	"orders":   orders.Main,
	"pings":    pings.Main,
}

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprintln(os.Stderr, "usage: realdata orders|pings --file FILE --http HOST:PORT --grpc HOST:PORT …, realdata dispatch --instances DIR --out DIR, or realdata eta --task TASK --train FILE… --replay FILE… --out FILE; see orders --help and so on")
		os.Exit(2)
	}
	os.Exit(commands[os.Args[1]](ctx, os.Args[2:]))
}
