package broker_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kgo"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging/broker"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("TEST_CHILD_BROKER"); dir != "" {
		childBroker(dir)
		return
	}
	goleak.VerifyTestMain(m)
}

// childBroker runs a broker, publishes numbers and prints the acknowledged ones until killed.
func childBroker(dir string) {
	ctx := context.Background()
	e, err := broker.Start(ctx, broker.Config{Listen: "127.0.0.1:0", Dir: dir, Partitions: 2})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	p, err := messaging.NewProducer(messaging.ClientConfig{Brokers: []string{e.Addr()}})
	if err != nil {
		fmt.Println("error", err)
		return
	}
	start, _ := strconv.Atoi(os.Getenv("TEST_CHILD_START")) //nolint:errcheck // set by the test
	fmt.Println("ready", e.SetAside())
	if err := e.Restored(); err != nil {
		fmt.Println("error", err)
		return
	}
	for i := start; ; i++ {
		n := strconv.Itoa(i)
		err := p.Publish(ctx, []domain.Message{{Topic: domain.TopicOrderUpdated, Key: n, Value: []byte(n + strings.Repeat(" ", 500))}})
		if err != nil {
			fmt.Println("error", err)
			return
		}
		fmt.Println(n)
	}
}

// killed runs a child broker, kills it after n acknowledged messages and returns how many it
// had acknowledged by then.
func killed(t *testing.T, dir string, from, n int) int {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$") //nolint:gosec // this test
	cmd.Env = append(os.Environ(), "TEST_CHILD_BROKER="+dir, "TEST_CHILD_START="+strconv.Itoa(from))
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	lines := bufio.NewScanner(out)
	require.True(t, lines.Scan())
	require.Equal(t, fmt.Sprint("ready ", from == 0), lines.Text(), "a new directory is incomplete")
	acknowledged := 0
	for lines.Scan() {
		require.Equal(t, strconv.Itoa(from+acknowledged), lines.Text())
		if acknowledged++; acknowledged == n {
			require.NoError(t, cmd.Process.Kill())
		}
	}
	_ = cmd.Wait() // killed
	require.GreaterOrEqual(t, acknowledged, n)
	return acknowledged
}

func TestKillLosesNothingAcknowledged(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	total := 0
	for _, n := range []int{1, 700, 333} {
		total += killed(t, dir, total, n)
	}
	e := start(t, dir)
	require.False(t, e.SetAside())
	missing := map[string]bool{}
	for i := range total {
		missing[strconv.Itoa(i)] = true
	}
	readRecords(t, []string{e.Addr()}, domain.TopicOrderUpdated, func(r *kgo.Record) bool {
		delete(missing, string(r.Key))
		return len(missing) == 0
	})
}

func TestRestartKeepsMessagesAndGroups(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	require.NoError(t, producer(t, first.Addr()).Publish(t.Context(), []domain.Message{
		{Topic: domain.TopicStatusUpdates, Key: "a", Value: []byte("1")},
	}))
	commit(t, first.Addr(), "g", 1)
	require.NoError(t, first.Restored())
	require.NoError(t, first.Close())

	second := start(t, dir)
	require.False(t, second.SetAside())
	readRecords(t, []string{second.Addr()}, domain.TopicStatusUpdates, func(r *kgo.Record) bool { return string(r.Key) == "a" })
	require.EqualValues(t, 1, committed(t, second.Addr(), "g"))
}

// commit sets the group's offset in each partition of order_status_updates.
func commit(t *testing.T, addr, group string, at int64) {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr))
	require.NoError(t, err)
	defer c.Close()
	var o kadm.Offsets
	o.AddOffset(domain.TopicStatusUpdates, 0, at, -1)
	require.NoError(t, kadm.NewClient(c).CommitAllOffsets(t.Context(), group, o))
}

// committed is the sum of the group's offsets in order_status_updates.
func committed(t *testing.T, addr, group string) int64 {
	t.Helper()
	c, err := kgo.NewClient(kgo.SeedBrokers(addr))
	require.NoError(t, err)
	defer c.Close()
	offsets, err := kadm.NewClient(c).FetchOffsets(t.Context(), group)
	require.NoError(t, err)
	sum := int64(0)
	offsets.Each(func(o kadm.OffsetResponse) {
		if o.Topic == domain.TopicStatusUpdates {
			sum += max(o.At, 0)
		}
	})
	return sum
}

func TestDirectoryIsForOneProcess(t *testing.T) {
	dir := t.TempDir()
	start(t, dir)
	_, err := broker.Start(t.Context(), broker.Config{Listen: "127.0.0.1:0", Dir: dir})
	require.ErrorContains(t, err, "another process uses the directory "+dir)
}

func TestPortTaken(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	defer l.Close()
	taken := l.Addr().String()

	_, err = broker.Start(t.Context(), broker.Config{Listen: taken, PortFixed: true, Dir: t.TempDir()})
	require.ErrorContains(t, err, "the address "+taken+" is taken by another program")

	core, logs := observer.New(zapcore.WarnLevel)
	e, err := broker.Start(t.Context(), broker.Config{Listen: taken, Dir: t.TempDir(), Log: zap.New(core)})
	require.NoError(t, err)
	defer e.Close()
	require.NotEqual(t, taken, e.Addr())
	require.Equal(t, 1, logs.Len())
	requireServes(t, e)

	_, err = broker.Start(t.Context(), broker.Config{Listen: "no such host.:1", Dir: t.TempDir()})
	require.ErrorContains(t, err, "can't listen on no such host.:1")
}

// used makes a directory with data.
func used(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	e := start(t, dir)
	value := []byte(strings.Repeat("0123456789", 60_000)) // each a batch of its own
	p := producer(t, e.Addr())
	for range 60 {
		require.NoError(t, p.Publish(t.Context(), []domain.Message{{Topic: domain.TopicOrderUpdated, Key: "k", Value: value}}))
	}
	require.True(t, e.SetAside(), "a new directory is incomplete")
	require.NoError(t, e.Restored())
	require.NoError(t, e.Close())
	return dir
}

func TestUnreadableDataIsSetAside(t *testing.T) {
	t.Parallel()
	for name, damage := range map[string]func(t *testing.T, data string){
		"meta.json is garbage": func(t *testing.T, data string) {
			require.NoError(t, os.WriteFile(filepath.Join(data, "meta.json"), []byte("{"), 0o600))
		},
		"topics.json is garbage": func(t *testing.T, data string) {
			require.NoError(t, os.WriteFile(filepath.Join(data, "topics.json"), []byte("\x00\x00"), 0o600))
		},
		"meta.json is gone": func(t *testing.T, data string) {
			require.NoError(t, os.Remove(filepath.Join(data, "meta.json")))
		},
		"topics.json is gone": func(t *testing.T, data string) {
			require.NoError(t, os.Remove(filepath.Join(data, "topics.json")))
		},
		"written by a later version": func(t *testing.T, data string) {
			require.NoError(t, os.WriteFile(filepath.Join(data, "meta.json"), []byte(`{"version":99}`), 0o600))
		},
		"loading it kills the process": func(t *testing.T, data string) {
			require.NoError(t, os.WriteFile(filepath.Join(filepath.Dir(data), ".loading"), []byte("3"), 0o600))
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := used(t)
			damage(t, filepath.Join(dir, "log"))
			e := start(t, dir)
			require.True(t, e.SetAside())
			aside, err := filepath.Glob(filepath.Join(dir, "log.unreadable-*"))
			require.NoError(t, err)
			require.Len(t, aside, 1)
			segments, err := filepath.Glob(filepath.Join(aside[0], "partitions", "*", "*.dat"))
			require.NoError(t, err)
			require.NotEmpty(t, segments, "what was there is kept")
			requireServes(t, e)
			require.NoError(t, e.Close())
			e = start(t, dir)
			require.True(t, e.SetAside(), "until it is restored")
			require.NoError(t, e.Restored())
			require.NoError(t, e.Close())
			require.False(t, start(t, dir).SetAside())
		})
	}
}

// segments returns the files of the partition written by used, oldest first.
func segments(t *testing.T, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "log", "partitions", domain.TopicOrderUpdated+"-*", "*.dat"))
	require.NoError(t, err)
	byBase := map[int]string{}
	most := 0
	for _, f := range files {
		base, err := strconv.Atoi(strings.TrimSuffix(filepath.Base(f), ".dat"))
		require.NoError(t, err)
		byBase[base] = f
		most = max(most, base)
	}
	var sorted []string
	for i := range most + 1 {
		if f, ok := byBase[i]; ok {
			sorted = append(sorted, f)
		}
	}
	require.Greater(t, len(sorted), 1)
	return sorted
}

func flip(t *testing.T, path string, at int64) {
	t.Helper()
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	require.NoError(t, err)
	defer f.Close()
	b := make([]byte, 1)
	_, err = f.ReadAt(b, at)
	require.NoError(t, err)
	b[0] ^= 0xff
	_, err = f.WriteAt(b, at)
	require.NoError(t, err)
}

func TestDamageIsNoticed(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		damage func(t *testing.T, dir string)
		lost   bool
	}{
		"in the middle": {func(t *testing.T, dir string) { flip(t, segments(t, dir)[0], 300) }, true},
		"in the last segment": {func(t *testing.T, dir string) {
			all := segments(t, dir)
			flip(t, all[len(all)-1], 300)
		}, true},
		"a write that was interrupted": {func(t *testing.T, dir string) {
			all := segments(t, dir)
			last := all[len(all)-1]
			raw, err := os.ReadFile(last)
			require.NoError(t, err)
			require.NoError(t, os.WriteFile(last, append(raw, raw[:100]...), 0o600))
		}, false},
		"the machine went down": {func(t *testing.T, dir string) {
			require.NoError(t, os.WriteFile(filepath.Join(dir, ".running"), []byte("another boot"), 0o600))
		}, true},
		"nothing": {func(*testing.T, string) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := used(t)
			c.damage(t, dir)
			e := start(t, dir)
			require.Equal(t, c.lost, e.SetAside())
			requireServes(t, e)
		})
	}
}

func TestDiskIsBounded(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	e, err := broker.Start(t.Context(), broker.Config{Listen: "127.0.0.1:0", Dir: dir, Partitions: 1})
	require.NoError(t, err)
	defer e.Close()
	p := producer(t, e.Addr())
	value := make([]byte, 200_000)
	for i, x := 0, uint32(1); i < len(value); i++ {
		x = x*1664525 + 1013904223
		value[i] = byte(x >> 24) //nolint:gosec // hard to compress
	}
	for range 90 { // 18 MB of positions, of which 8 MiB stay
		require.NoError(t, p.Publish(t.Context(), []domain.Message{{Topic: domain.TopicCourierLocation, Key: "c", Value: value}}))
	}
	size := func() int64 {
		files, err := filepath.Glob(filepath.Join(dir, "log", "partitions", domain.TopicCourierLocation+"-0", "*.dat"))
		require.NoError(t, err)
		total := int64(0)
		for _, f := range files {
			if info, err := os.Stat(f); err == nil {
				total += info.Size()
			}
		}
		return total
	}
	require.Eventually(t, func() bool { return size() < 10<<20 }, 20*time.Second, 50*time.Millisecond)
	require.Greater(t, size(), int64(7<<20))
}

func TestStopAndStartAgainAndAgain(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for range 20 {
		e, err := broker.Start(t.Context(), broker.Config{Listen: "127.0.0.1:0", Dir: dir, Partitions: 1})
		require.NoError(t, err)
		conn, err := net.Dial("tcp", e.Addr())
		require.NoError(t, err)
		require.NoError(t, errors.Join(e.Close(), e.Close()))
		_, err = conn.Read(make([]byte, 1))
		require.Error(t, err, "an open connection ends with the broker")
		conn.Close()
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := broker.Start(gone, broker.Config{Listen: "127.0.0.1:0", Dir: dir})
	require.ErrorIs(t, err, context.Canceled)
}

func TestListeningEverywhereTellsClientsTheAddressTheyUsed(t *testing.T) {
	e, err := broker.Start(t.Context(), broker.Config{Listen: "0.0.0.0:0", Dir: t.TempDir(), Partitions: 1})
	require.NoError(t, err)
	defer e.Close()
	_, port, err := net.SplitHostPort(e.Addr())
	require.NoError(t, err)
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
		c, err := kgo.NewClient(kgo.SeedBrokers(net.JoinHostPort(host, port)))
		require.NoError(t, err)
		defer c.Close()
		brokers, err := kadm.NewClient(c).ListBrokers(t.Context())
		require.NoError(t, err)
		require.Len(t, brokers, 1)
		require.Equal(t, host, brokers[0].Host)
		coordinators := kadm.NewClient(c).FindGroupCoordinators(t.Context(), "g")
		require.NoError(t, coordinators.Error())
		require.Equal(t, host, coordinators["g"].Host)
	}
	addr := net.JoinHostPort("127.0.0.1", port)
	got := make(chan domain.Message, 1)
	k, err := messaging.NewConsumer(messaging.ClientConfig{Brokers: []string{addr}}, "g", func(_ context.Context, m domain.Message) error {
		got <- m
		return nil
	})
	require.NoError(t, err)
	go func() { _ = k.Run(t.Context()) }()
	defer k.Close()
	require.NoError(t, producer(t, addr).Publish(t.Context(), []domain.Message{{Topic: domain.TopicStatusUpdates, Key: "a", Value: []byte("1")}}))
	require.Equal(t, "a", (<-got).Key)
}
