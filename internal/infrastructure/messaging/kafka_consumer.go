package messaging

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// handlers is how many messages are handled concurrently; the store commits them together.
	handlers = 64
	// pollRecords is how many messages are taken from the client at a time.
	pollRecords = 1000
	// commitEvery is how often the offsets of handled messages are committed.
	commitEvery = 250 * time.Millisecond
	// fetchBytes bounds the client's buffer per broker.
	fetchBytes = 8 * MiB
	// stopGrace is how long a stop waits for messages being handled, leaveTimeout for leaving the group.
	stopGrace    = 5 * time.Second
	leaveTimeout = 3 * time.Second
	// giveUpAfter is how long a message may stay unavailable while its dependencies work.
	giveUpAfter = 2 * time.Minute
	// sessionTimeout is the time without a heartbeat after which other members take over.
	sessionTimeout = 10 * time.Second
)

// Consumer reads order_status_updates as a member of a consumer group and calls a handler for each message; see NewConsumer.
type Consumer struct {
	// GiveUpAfter is how long handling a message may fail with unavailable while Healthy reports that the handler's dependencies
	// work; then it becomes a dead letter. OnDeadLetter receives the error code of each dead letter. Set them before Run.
	GiveUpAfter  time.Duration
	Healthy      func(context.Context) error
	OnDeadLetter func(domain.Code)

	client *kgo.Client
	cfg    ClientConfig
	log    *zap.Logger
	handle func(ctx context.Context, m domain.Message) error

	slots chan struct{} // one per running handler
	work  context.Context
	// stop ends waiting and polling, cut cancels handlers that exceed the grace period.
	stopping  context.Context
	stop, cut context.CancelFunc
	// abandon makes the client give up all requests, for a broker that does not answer.
	abandon context.CancelFunc
	running sync.Mutex // held by Run
	closing sync.Once

	mu    sync.Mutex
	parts map[int32]*part

	trouble, fetches *background.Outage // of handlers that wait for an unavailable dependency, and of fetching
}

// NewConsumer joins the group; Run then reads order_status_updates, from the earliest
// message if the group is new. handle is called sequentially for the messages of a key (and
// for all messages of a partition without a key), and for up to 64 keys concurrently.
//
// After an error with code unavailable, handle is retried with growing pauses and one log line until it succeeds (see
// GiveUpAfter); messages of other keys are handled meanwhile. After any other error or a panic, the message goes to
// order_status_updates.dlq with value, key and headers unchanged and the headers error_code and error added. Only then is
// the message's offset committed, so a message is handled at least once.
func NewConsumer(c ClientConfig, group string, handle func(ctx context.Context, m domain.Message) error) (*Consumer, error) {
	k := &Consumer{
		cfg: c, log: c.log(), handle: handle,
		slots: make(chan struct{}, handlers), parts: map[int32]*part{}, GiveUpAfter: giveUpAfter,
	}
	outage := func(what string) *background.Outage {
		return &background.Outage{Log: k.log, Lost: what + ": failed; trying again until it works", Back: what + ": works again"}
	}
	k.trouble, k.fetches = outage("inbound messages"), outage("reading "+domain.TopicStatusUpdates)
	k.work, k.cut = context.WithCancel(context.Background())
	k.stopping, k.stop = context.WithCancel(context.Background())
	life, abandon := context.WithCancel(context.Background())
	k.abandon = abandon
	var err error
	k.client, err = c.client(append(c.producing(), // dead letters
		kgo.WithContext(life),
		kgo.ConsumerGroup(group),
		kgo.ConsumeTopics(domain.TopicStatusUpdates),
		kgo.Balancers(kgo.CooperativeStickyBalancer()),
		kgo.ConsumeStartOffset(kgo.NewOffset().AtStart()),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()),
		kgo.SessionTimeout(sessionTimeout),
		kgo.HeartbeatInterval(sessionTimeout/5),
		kgo.AutoCommitMarks(),
		kgo.AutoCommitInterval(commitEvery),
		kgo.AutoCommitCallback(k.committed),
		kgo.OnPartitionsAssigned(k.assigned),
		kgo.OnPartitionsRevoked(k.revoked),
		kgo.OnPartitionsLost(k.lost),
		kgo.FetchMaxBytes(fetchBytes),
		kgo.FetchMaxPartitionBytes(fetchBytes),
		kgo.MaxDecompressBatchBytes(MaxInflated),
	)...)
	if err != nil {
		abandon()
		return nil, err
	}
	return k, nil
}

// Run reads until ctx ends or Close is called, then finishes the messages being handled (for
// at most 5 s), commits their offsets and returns nil. It may be called once.
func (k *Consumer) Run(ctx context.Context) error {
	k.running.Lock()
	defer k.running.Unlock()
	defer context.AfterFunc(ctx, k.halt)()
	for k.stopping.Err() == nil {
		fetched := k.client.PollRecords(k.stopping, pollRecords)
		if fetched.IsClientClosed() || k.stopping.Err() != nil {
			break
		}
		k.failed(fetched)
		k.process(fetched)
	}
	for _, p := range k.owned() {
		p.busy.Wait()
	}
	return nil
}

// halt makes Run end: no new message is started, running handlers get the grace period.
func (k *Consumer) halt() {
	k.stop()
	time.AfterFunc(stopGrace, k.cut)
}

// Close stops Run and waits for it, commits and leaves the group, so that others take over at once.
func (k *Consumer) Close() {
	k.closing.Do(func() {
		k.halt()
		k.running.Lock()
		defer k.running.Unlock()
		k.cut()
		ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
		defer cancel()
		if err := k.client.CommitMarkedOffsets(ctx); err != nil {
			k.log.Warn("the last offsets were not committed; some messages will be read again", zap.Error(err))
		}
		// Leaving runs the revoke callback; if the brokers are down they can't be notified.
		_ = k.client.LeaveGroupContext(ctx) //nolint:errcheck // the session times out instead
		k.abandon()
		k.client.Close()
	})
}

// failed reports fetch errors and skips batches that can never be read.
func (k *Consumer) failed(fetched kgo.Fetches) {
	var first error
	fetched.EachError(func(topic string, partition int32, err error) {
		var bomb *kgo.ErrDecompressTooLarge
		switch {
		case errors.As(err, &bomb):
			k.skip(bomb)
			return
		case missingTopic(err):
			if e := ensureTopics(k.stopping, k.client, k.cfg); e == nil {
				k.client.PurgeTopicsFromConsuming(domain.TopicStatusUpdates)
				k.client.AddConsumeTopics(domain.TopicStatusUpdates)
			}
		}
		if first == nil && !errors.Is(err, context.Canceled) {
			first = fmt.Errorf("%s[%d]: %w", topic, partition, err)
		}
	})
	k.fetches.Note(first)
	if first != nil {
		background.Sleep(k.stopping, maxBackoff)
	}
}

// skip skips a batch that would unpack beyond the limit and records it as a dead letter without a value.
func (k *Consumer) skip(bomb *kgo.ErrDecompressTooLarge) {
	if p := k.owned()[bomb.Partition]; p != nil {
		p.busy.Wait() // earlier messages must not be committed with it while unfinished
	}
	note := &kgo.Record{Topic: domain.TopicStatusUpdatesFails, Headers: reasons(domain.CodeTooLarge, bomb.Error())}
	if !k.persist(k.stopping, func() error { return k.publish(note) }) {
		return
	}
	k.reportDeadLetter(domain.CodeTooLarge, bomb, zap.Int32("partition", bomb.Partition))
	k.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{
		bomb.Topic: {bomb.Partition: {Epoch: bomb.Epoch, Offset: bomb.NextOffset}},
	})
}

// committed is called after every commit; the next commit also covers a failed one.
func (k *Consumer) committed(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
	if err != nil && k.stopping.Err() == nil {
		k.log.Debug("offsets were not committed; trying again", zap.Error(err))
	}
}
