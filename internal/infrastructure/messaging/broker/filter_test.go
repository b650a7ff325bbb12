package broker_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"os"
	"runtime"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/klauspost/compress/gzip"
	"github.com/stretchr/testify/require"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging/broker"
)

// requireServes checks that the broker still accepts and delivers a message.
func requireServes(t *testing.T, e *broker.Broker) {
	t.Helper()
	p := producer(t, e.Addr())
	key := strconv.FormatInt(time.Now().UnixNano(), 10)
	require.NoError(t, p.Publish(t.Context(), []domain.Message{{Topic: domain.TopicOrderUpdated, Key: key, Value: []byte("x")}}))
	readRecords(t, []string{e.Addr()}, domain.TopicOrderUpdated, func(r *kgo.Record) bool { return string(r.Key) == key })
}

// requireHungUp sends raw and checks that the broker closes the connection and answers nothing.
func requireHungUp(t *testing.T, addr string, raw []byte) {
	t.Helper()
	conn, err := net.Dial("tcp", addr)
	require.NoError(t, err)
	defer conn.Close()
	require.NoError(t, conn.SetDeadline(time.Now().Add(10*time.Second)))
	_, _ = conn.Write(raw)
	_, err = io.ReadFull(conn, make([]byte, 1))
	require.Error(t, err)
	var timeout net.Error
	require.False(t, errors.As(err, &timeout) && timeout.Timeout(), "the connection stays open")
}

func TestFilterHangsUpOnWhatIsNotKafka(t *testing.T) {
	e := start(t, t.TempDir())
	garbage := make([]byte, 4096)
	for i := range garbage {
		garbage[i] = byte(rand.Uint32()) //nolint:gosec // anything goes
	}
	garbage[0] = 0x7f // and never a small length
	produce := kmsg.NewPtrProduceRequest()
	produce.Version = 9
	for name, raw := range map[string][]byte{
		"HTTP":                       []byte("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"),
		"TLS":                        {0x16, 0x03, 0x01, 0x02, 0x00, 0x01, 0x00, 0x01, 0xfc, 0x03, 0x03},
		"random bytes":               garbage,
		"two gigabytes":              {0x7f, 0xff, 0xff, 0xff, 0, 18, 0, 0, 0, 0, 0, 1},
		"a negative length":          {0xff, 0xff, 0xff, 0xff, 0, 18, 0, 0, 0, 0, 0, 1},
		"no length":                  {0, 0, 0, 0, 0, 18, 0, 0},
		"a header that is too short": {0, 0, 0, 4, 0, 18, 0, 0},
		"an unknown request":         frame(9999, 0, false, nil),
		"a negative request":         frame(-1, 0, false, nil),
		"a version that is too new":  frame(3, 99, false, nil),
		"a negative version":         frame(18, -1, false, nil),
		"a version that is too old":  frame(1, 0, false, make([]byte, 40)),
		"CreateTopics":               frame(19, 0, false, make([]byte, 8)),
		"a large small request":      frame(3, 0, false, make([]byte, 300<<10)),
		"an array of two billion":    frame(3, 0, false, []byte{0x7f, 0xff, 0xff, 0xff}),
		"produce to many topics":     frame(0, 3, false, append([]byte{0xff, 0xff, 0xff, 0xff, 0, 0, 0, 1, 0, 0, 0, 70}, make([]byte, 1000)...)),
		"a produce request cut off":  frame(0, 3, false, []byte{0xff, 0xff, 0xff}),
		"a transaction":              frame(22, 0, false, []byte{0, 1, 'x', 0, 0, 0, 1}),
	} {
		t.Run(name, func(t *testing.T) {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			requireHungUp(t, e.Addr(), raw)
			runtime.ReadMemStats(&after)
			require.Less(t, after.TotalAlloc-before.TotalAlloc, uint64(8<<20), "bytes allocated for it")
		})
	}
	requireServes(t, e)
}

// TestFilterKeepsOutWhatCrashesTheBroker sends requests that made the broker behind the
// filter panic.
func TestFilterKeepsOutWhatCrashesTheBroker(t *testing.T) {
	e := start(t, t.TempDir())
	join := kmsg.NewPtrJoinGroupRequest()
	join.Version = 2
	join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = "f", "consumer", 10_000, 1
	join.Protocols = []kmsg.JoinGroupRequestProtocol{{Name: "range"}, {Name: "range"}}
	requireHungUp(t, e.Addr(), frame(11, 2, false, join.AppendTo(nil)))
	join.Protocols = nil
	requireHungUp(t, e.Addr(), frame(11, 2, false, join.AppendTo(nil)))

	produce := kmsg.NewPtrProduceRequest()
	produce.Version, produce.Acks = 13, 7
	produce.Topics = []kmsg.ProduceRequestTopic{
		{TopicID: [16]byte{1}, Partitions: []kmsg.ProduceRequestTopicPartition{{}}},
		{TopicID: [16]byte{2}, Partitions: []kmsg.ProduceRequestTopicPartition{{}}},
	}
	requireHungUp(t, e.Addr(), frame(0, 13, true, produce.AppendTo(nil)))
	requireServes(t, e)
}

// TestBrokerSurvivesHostileRequests sends requests that parse but make no sense, including
// group members that act on the responses.
func TestBrokerSurvivesHostileRequests(t *testing.T) {
	t.Parallel()
	e := start(t, t.TempDir())
	length := time.Second
	if v := os.Getenv("TEST_HOSTILE_FOR"); v != "" {
		var err error
		length, err = time.ParseDuration(v)
		require.NoError(t, err)
	}
	seed := uint64(time.Now().UnixNano()) //nolint:gosec // a seed
	t.Log("seed", seed)
	ctx, cancel := context.WithTimeout(t.Context(), length)
	defer cancel()
	var wg sync.WaitGroup
	for w := range uint64(4) {
		h := hostile{rand.New(rand.NewPCG(seed, w))}
		wg.Go(func() {
			for ctx.Err() == nil {
				key := pick(h, int16(0), 1, 2, 3, 8, 9, 10, 11, 12, 13, 14, 15, 16, 18, 22, 23, 32, 60)
				version := int16(h.IntN(int(kmsg.RequestForKey(key).MaxVersion()) + 1)) //nolint:gosec // small
				if err := throw(e.Addr(), h.request(key, version), 20*time.Millisecond); err != nil {
					t.Error(err)
					return
				}
			}
		})
		m := hostile{rand.New(rand.NewPCG(seed, 100+w))}
		wg.Go(func() {
			for ctx.Err() == nil {
				m.member(ctx, e.Addr())
			}
		})
	}
	wg.Wait()
	requireServes(t, e)
}

func TestAPIVersionsOfANewerClient(t *testing.T) {
	e := start(t, t.TempDir())
	conn, err := net.Dial("tcp", e.Addr())
	require.NoError(t, err)
	defer conn.Close()
	_, err = conn.Write(frame(18, 42, true, []byte("of a form that nobody knows yet")))
	require.NoError(t, err)
	var size [4]byte
	_, err = io.ReadFull(conn, size[:])
	require.NoError(t, err)
	answer := make([]byte, binary.BigEndian.Uint32(size[:]))
	_, err = io.ReadFull(conn, answer)
	require.NoError(t, err)
	resp := kmsg.NewPtrApiVersionsResponse()
	require.NoError(t, resp.ReadFrom(answer[4:]))
	require.ErrorIs(t, kerr.ErrorForCode(resp.ErrorCode), kerr.UnsupportedVersion)
	require.NotEmpty(t, resp.ApiKeys)
}

// batch makes the record batch of the given records, which may claim to be n.
func batch(codec int16, records []byte, n int32) []byte {
	b := kmsg.RecordBatch{
		PartitionLeaderEpoch: -1, Magic: 2, Attributes: codec, LastOffsetDelta: n - 1, NumRecords: n,
		ProducerID: -1, ProducerEpoch: -1, FirstSequence: -1, Records: records,
	}
	b.Length = int32(len(b.AppendTo(nil)) - 12) //nolint:gosec // small
	raw := b.AppendTo(nil)
	binary.BigEndian.PutUint32(raw[17:], crc32.Checksum(raw[21:], crc32.MakeTable(crc32.Castagnoli)))
	return raw
}

func produceFrame(batch []byte) []byte {
	req := kmsg.NewPtrProduceRequest()
	req.Version, req.Acks, req.TimeoutMillis = 7, -1, 1000
	req.Topics = []kmsg.ProduceRequestTopic{{
		Topic: domain.TopicStatusUpdates, Partitions: []kmsg.ProduceRequestTopicPartition{{Partition: 0, Records: batch}},
	}}
	return frame(0, 7, false, req.AppendTo(nil))
}

// TestFilterOpensBatches: the broker stores batches unopened, so one that can't be
// decompressed would stop every consumer.
func TestFilterOpensBatches(t *testing.T) {
	e := start(t, t.TempDir())
	var record bytes.Buffer
	r := kmsg.NewRecord()
	r.Value = []byte("fine")
	r.Length = int32(len(r.AppendTo(nil)) - 1) //nolint:gosec // small
	record.Write(r.AppendTo(nil))
	bomb := func() []byte {
		var b bytes.Buffer
		w := gzip.NewWriter(&b)
		zeros := make([]byte, 1<<20)
		for range 100 {
			_, err := w.Write(zeros)
			require.NoError(t, err)
		}
		require.NoError(t, w.Close())
		return b.Bytes()
	}
	for name, b := range map[string][]byte{
		"records that are none":        batch(0, []byte("no record"), 1),
		"gzip that is none":            batch(1, []byte("no gzip"), 1),
		"snappy that is none":          batch(2, []byte{0xff, 0xff, 0xff, 0xff, 0x0f, 1}, 1),
		"snappy blocks that are none":  batch(2, append([]byte{0x82, 'S', 'N', 'A', 'P', 'P', 'Y', 0}, make([]byte, 11)...), 1),
		"lz4 that is none":             batch(3, []byte("no lz4"), 1),
		"zstd that is none":            batch(4, []byte("no zstd"), 1),
		"a bomb":                       batch(1, bomb(), 1),
		"more records than there are":  batch(0, record.Bytes(), 2),
		"fewer records than there are": batch(0, record.Bytes(), 0),
		"a negative count":             batch(0, record.Bytes(), -5),
		"two billion":                  batch(0, record.Bytes(), math.MaxInt32),
		"a transaction":                batch(0x10, record.Bytes(), 1),
		"a control batch":              batch(0x20, record.Bytes(), 1),
		"nothing in it":                batch(0, nil, 0),
		"an unknown compression":       batch(5, record.Bytes(), 1),
	} {
		t.Run(name, func(t *testing.T) { requireHungUp(t, e.Addr(), produceFrame(b)) })
	}
	require.NoError(t, throw(e.Addr(), produceFrame(batch(0, record.Bytes(), 1)), time.Second))
	readRecords(t, []string{e.Addr()}, domain.TopicStatusUpdates, func(r *kgo.Record) bool { return string(r.Value) == "fine" })
}

// TestFilterLetsEveryCompressionIn also for values that need it.
func TestFilterLetsEveryCompressionIn(t *testing.T) {
	e := start(t, t.TempDir())
	for i, codec := range []kgo.CompressionCodec{
		kgo.NoCompression(), kgo.GzipCompression(), kgo.SnappyCompression(), kgo.Lz4Compression(), kgo.ZstdCompression(),
	} {
		c, err := kgo.NewClient(kgo.SeedBrokers(e.Addr()), kgo.ProducerBatchCompression(codec))
		require.NoError(t, err)
		value := bytes.Repeat(fmt.Appendf(nil, "%d ", i), 50_000)
		require.NoError(t, c.ProduceSync(t.Context(), &kgo.Record{Topic: domain.TopicStatusUpdates, Value: value}).FirstErr())
		c.Close()
		readRecords(t, []string{e.Addr()}, domain.TopicStatusUpdates, func(r *kgo.Record) bool { return bytes.Equal(r.Value, value) })
	}
}
