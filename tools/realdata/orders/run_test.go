package orders

import (
	"bytes"
	"context"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/app"
	"github.com/order-tracking/order-tracking/pkg/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// product runs the product in this process and returns its addresses.
func product(t *testing.T) flags {
	t.Helper()
	dir := t.TempDir()
	cfg, err := config.Load([]string{
		"--http-addr=127.0.0.1:0", "--grpc-addr=127.0.0.1:0", "--kafka-listen=127.0.0.1:0",
		"--database-url=sqlite://" + filepath.ToSlash(filepath.Join(dir, "orders.db")), "--set=kafka.dir=" + filepath.Join(dir, "kafka"),
	}, nil)
	require.NoError(t, err)
	a, err := app.New(t.Context(), cfg, zap.NewNop(), "test")
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- a.Run(ctx) }()
	t.Cleanup(func() {
		http.DefaultClient.CloseIdleConnections()
		cancel()
		require.NoError(t, <-ended)
	})
	return flags{
		http: a.HTTPAddr(), grpc: a.GRPCAddr(), kafka: a.Brokers()[0], group: cfg.Kafka.Group,
		concurrency: 16, within: 20 * time.Second, file: filepath.Join(dir, "orders.csv"),
	}
}

// someRows are invented: ordinary ones and those whose times run backwards.
func someRows(n int) string {
	text := csvHeader
	for i := range n {
		switch i % 10 {
		case 3:
			text += line(i, "09:00:00", "08:59:00", "09:10:00", "09:20:00", "09:40:00")
		case 5:
			text += line(i, "09:00:00", "09:01:00", "09:10:00", "09:09:00", "09:40:00")
		case 7:
			text += line(i, "09:00:00", "08:01:00", "08:10:00", "08:09:00", "08:05:00")
		case 9:
			text += line(i, "09:00:00", "09:00:00", "09:00:00", "09:00:00", "09:00:00")
		default:
			text += ordinary(i)
		}
	}
	return text
}

func TestTheProductDoesWhatIsExpected(t *testing.T) {
	f := product(t)
	require.NoError(t, os.WriteFile(f.file, []byte(someRows(80)), 0o600))
	for range 2 { // runs do not meet on one database
		var out bytes.Buffer
		ok, err := run(t.Context(), f, &out)
		require.NoError(t, err)
		require.True(t, ok, out.String())
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		require.Regexp(t, `^PASS 80 orders, 3 couriers, \d+ events`, lines[len(lines)-1])
	}
}

// The comparison finds each of these manipulations and names its place.
func TestDifferencesAreFound(t *testing.T) {
	f := product(t)
	victim := func(d *driver, plans []*plan) *published { return d.tail.orders[d.driven[plans[4].externalID].orderID] }
	for name, tc := range map[string]struct {
		tamper func(t *testing.T, d *driver, plans []*plan)
		found  string
	}{
		"nothing": {func(*testing.T, *driver, []*plan) {}, ""},
		"another time": {func(_ *testing.T, _ *driver, plans []*plan) {
			plans[4].want.entries[2].occurred = plans[4].want.entries[2].occurred.Add(time.Microsecond)
		}, "entry 3 of the history"},
		"another source": {func(_ *testing.T, _ *driver, plans []*plan) {
			plans[4].want.entries[2].reported = false
		}, "entry 3 of the history"},
		"an entry too many": {func(_ *testing.T, _ *driver, plans []*plan) {
			h := plans[4].want
			h.entries = h.entries[:len(h.entries)-1]
		}, "the history has 7 entries instead of 6"},
		"another customer": {func(_ *testing.T, _ *driver, plans []*plan) { plans[4].user = "somebody" }, "the order (-expected +is)"},
		"another courier": {func(_ *testing.T, d *driver, plans []*plan) {
			d.couriers[plans[4].rider] = d.couriers[plans[5].rider]
		}, victimRow},
		"an order that nobody made": {func(t *testing.T, d *driver, _ []*plan) {
			_, err := d.rest.CreateOrder(t.Context(), client.Draft{
				ExternalID: d.run + "-other", Customer: client.Customer{Name: "A"}, Dropoff: &client.Place{Address: "B"},
			})
			require.NoError(t, err)
		}, "which is not the one that the driver made"},
		"a message that is missing": {func(_ *testing.T, d *driver, plans []*plan) {
			p := victim(d, plans)
			p.messages = p.messages[:len(p.messages)-1]
		}, "4 on order_updated instead of 1 and 5"},
		"a message twice with another id": {func(_ *testing.T, d *driver, plans []*plan) {
			p := victim(d, plans)
			p.messages = append(p.messages, p.messages[3])
		}, "6 on order_updated instead of 1 and 5"},
		"messages out of order": {func(_ *testing.T, d *driver, plans []*plan) {
			m := victim(d, plans).messages
			m[2], m[3] = m[3], m[2]
		}, "should be version 3 of the history"},
		"an order as it did not stand": {func(_ *testing.T, d *driver, plans []*plan) {
			victim(d, plans).messages[2].order.status = client.StatusCreated
		}, "the order in the message of version 3"},
		"a refused report": {func(_ *testing.T, d *driver, plans []*plan) {
			d.tail.take(&kgo.Record{Topic: topicRefused, Key: []byte(d.driven[plans[4].externalID].orderID), Value: []byte("x")})
		}, "in the dead-letter topic"},
		"a message that is no event": {func(_ *testing.T, d *driver, _ []*plan) {
			d.tail.take(&kgo.Record{Topic: topicUpdated, Value: []byte(`{"order":{}}`)})
		}, "ce_time"},
		"a message of an unknown order": {func(_ *testing.T, d *driver, _ []*plan) {
			d.tail.of("stranger").messages = []message{{}}
		}, "order stranger was published"},
		"a row that was not driven": {func(_ *testing.T, d *driver, plans []*plan) {
			delete(d.driven, plans[4].externalID)
		}, "was not driven to its end"},
	} {
		t.Run(name, func(t *testing.T) {
			d, plans := drivenRows(t, f)
			tc.tamper(t, d, plans)
			d.within = time.Second // for what will never come
			d.verify(t.Context(), plans)
			all := strings.Join(d.faults.first, "\n")
			if tc.found == "" {
				require.Empty(t, all)
				return
			}
			require.Contains(t, all, tc.found)
			require.False(t, d.verdict(new(bytes.Buffer), len(plans), 0))
		})
	}
}

// victimRow is the row that the tests tamper with.
const victimRow = "Order_4"

// drivenRows drives eight rows to their end and verifies nothing.
func drivenRows(t *testing.T, f flags) (*driver, []*plan) {
	t.Helper()
	rows, err := readRows(strings.NewReader(someRows(8)), 0)
	require.NoError(t, err)
	name := "t" + strings.ToLower(strings.ReplaceAll(t.Name()[len("TestDifferencesAreFound/"):], "_", ""))
	plans := make([]*plan, len(rows))
	for i, r := range rows {
		plans[i] = newPlan(name, r)
	}
	transport := &http.Transport{}
	d, err := connect(t.Context(), f, name, &counter{next: transport})
	require.NoError(t, err)
	ctx, stop := context.WithCancel(t.Context())
	read := make(chan struct{})
	go func() { defer close(read); d.tail.read(ctx) }()
	d.hire(t.Context(), plans)
	d.drive(t.Context(), plans, new(atomic.Int64))
	require.NoError(t, d.repeat(t.Context()))
	require.Empty(t, d.faults.first)
	d.awaitTail(t.Context())
	stop()
	<-read
	t.Cleanup(func() {
		d.tail.close()
		d.bus.close()
		d.rpc.close()
		transport.CloseIdleConnections()
	})
	return d, plans
}

func TestEnvelopesAreChecked(t *testing.T) {
	good := func() *kgo.Record {
		return &kgo.Record{
			Topic: topicUpdated, Key: []byte("o1"),
			Value: []byte(`{"id":"e1","order_id":"o1","seq":2,"version":2,"type":"order.status_changed","status":"assigned",` +
				`"occurred_at":"2026-01-02T03:04:05Z","recorded_at":"2026-01-02T03:04:05Z","actor":{"kind":"admin"},` +
				`"order":{"id":"o1","external_id":"run-1","status":"assigned","version":2}}`),
			Headers: []kgo.RecordHeader{
				{Key: "ce_specversion", Value: []byte("1.0")}, {Key: "ce_id", Value: []byte("e1")},
				{Key: "ce_source", Value: []byte("/x")}, {Key: "ce_type", Value: []byte("ordertracking.order.status_changed")},
				{Key: "ce_time", Value: []byte("2026-01-02T03:04:05Z")}, {Key: "ce_subject", Value: []byte("o1")},
				{Key: "content-type", Value: []byte("application/json")},
			},
		}
	}
	m, externalID, err := decodeMessage(good())
	require.NoError(t, err)
	require.Equal(t, "run-1", externalID)
	require.Equal(t, "e1", m.event.ID)
	require.Equal(t, int64(2), m.order.version)
	for i := range good().Headers {
		r := good()
		r.Headers[i].Value = nil
		_, _, err := decodeMessage(r)
		require.ErrorContains(t, err, r.Headers[i].Key)
	}
	r := good()
	r.Key = []byte("other")
	_, _, err = decodeMessage(r)
	require.ErrorContains(t, err, "the key")
	r = good()
	r.Value = bytes.Replace(r.Value, []byte(`"seq"`), []byte(`"new":1,"seq"`), 1)
	_, _, err = decodeMessage(r)
	require.ErrorContains(t, err, "unknown field", "what the contract does not have")
}

func TestFlags(t *testing.T) {
	f, err := parse([]string{"--file", "x", "--limit", "5"})
	require.NoError(t, err)
	require.Equal(t, "127.0.0.1:8080", f.http)
	require.Equal(t, 5, f.limit)
	for _, args := range [][]string{nil, {"--file", "x", "y"}, {"--file", "x", "--concurrency", "0"}, {"--file", "x", "--limit", "-1"}, {"--nope"}} {
		_, err := parse(args)
		require.Error(t, err, args)
	}
	require.Equal(t, 1, Main(t.Context(), []string{"--file", "does-not-exist"}))
	require.Equal(t, 0, Main(t.Context(), []string{"--help"}))
}
