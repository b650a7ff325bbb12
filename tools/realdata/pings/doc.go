// Package pings replays a day of real taxi positions through a running product and
// verifies the results.
//
//	go run ./tools/realdata pings --file cab_replay.csv.gz --http HOST:PORT --grpc HOST:PORT --via grpc
//
// The file has the columns t (epoch seconds), cab, lat, lng, occ (whether a passenger
// is in it), in the order of time. All times are moved by the same so that the last ping
// is just past; a courier is made for each cab.
//
// # What is sent
//
// With --via grpc, batches of pings over ReportLocations streams; with --via osmand each
// ping as a request of a phone app, with the courier's token, in the three forms of that
// protocol in turn: query, form, JSON. Each cab's pings keep their order but for two
// things that phones do: every fourth cab sends each tenth batch twice, and every fifth
// holds each eighth batch back until the next one was sent, as after a hole in the network.
//
// # What is expected
//
// The documented rules, written here once more (oracle.go), say of each ping what becomes
// of it: dropped and why, kept in the history only, or the newest. Then:
//
//   - the answers count as many pings as were sent
//   - the live store has each cab's newest plausible ping
//   - the history has every ping but the dropped ones, each as it was sent
//   - /metrics grew by what was received, stored and dropped, by reason
//   - an order that was in a cab from the beginning of an occupied run to its end shows
//     exactly that part of the way, and who watched it saw the cab move
//
// Nobody else may report positions meanwhile, since the counters are everybody's.
package pings
