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

	"github.com/order-tracking/order-tracking/internal/domain"
)

const (
	// handlers is how many messages are handled at once; the store commits them together.
	handlers = 64
	// pollRecords is how many messages are taken from the client at a time.
	pollRecords = 1000
	// commitEvery is how often the offsets of what was handled are committed.
	commitEvery = 250 * time.Millisecond
	// fetchBytes bounds what the client holds per broker.
	fetchBytes = 8 * MiB
	// stopGrace is how long a stop waits for the messages that are being handled,
	// leaveTimeout for the group to let go.
	stopGrace    = 5 * time.Second
	leaveTimeout = 3 * time.Second
	// giveUpAfter is how long one message may fail that should pass while all else works.
	giveUpAfter = 2 * time.Minute
	// sessionTimeout is after how long without a heartbeat others take over.
	sessionTimeout = 10 * time.Second
)

// Consumer reads order_status_updates as a member of a consumer group and has each
// message handled; see NewConsumer.
type Consumer struct {
	// GiveUpAfter is how long a message may be called unavailable while Healthy says that
	// what handling depends on works; then it goes to the dead letters. Set them before Run,
	// and Buried, which hears the code of each dead letter.
	GiveUpAfter time.Duration
	Healthy     func(context.Context) error
	Buried      func(domain.Code)

	client *kgo.Client
	cfg    ClientConfig
	log    *zap.Logger
	handle func(ctx context.Context, m domain.Message) error

	slots chan struct{} // one per running handler
	work  context.Context
	// stop ends the waiting and the polling, cut the handlers that outlast the grace.
	stopping  context.Context
	stop, cut context.CancelFunc
	// abandon makes the client give up everything, for a broker that does not answer.
	abandon context.CancelFunc
	running sync.Mutex // held by Run
	closing sync.Once

	mu    sync.Mutex
	parts map[int32]*part

	trouble trouble // handlers that wait for something that is unavailable
	fetches trouble // fetching
}

// NewConsumer joins the group; Run then reads order_status_updates, from the earliest
// message when the group is new. handle is called for one message after the other of a
// key (and of all messages of a partition without a key), for up to 64 keys at once.
//
// An error of code unavailable means that it is called again with a growing pause and one
// line in the log, for as long as it takes (see GiveUpAfter); messages of other keys are
// handled meanwhile. After any other error, or a panic, the message goes to
// order_status_updates.dlq with value, key and headers unchanged and the headers
// error_code and error added. Only then is the message's offset committed, so a message
// is handled at least once.
func NewConsumer(c ClientConfig, group string, handle func(ctx context.Context, m domain.Message) error) (*Consumer, error) {
	k := &Consumer{
		cfg: c, log: c.log(), handle: handle,
		slots: make(chan struct{}, handlers), parts: map[int32]*part{}, GiveUpAfter: giveUpAfter,
	}
	k.trouble = trouble{log: k.log, what: "inbound messages"}
	k.fetches = trouble{log: k.log, what: "reading " + domain.TopicStatusUpdates}
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

// Run reads until ctx ends or Close is called, and returns nil then: the messages that
// were being handled are finished (for at most 5 s) and their offsets committed. It may
// be called once.
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

// halt makes Run end: nothing new is started, what runs gets the grace.
func (k *Consumer) halt() {
	k.stop()
	time.AfterFunc(stopGrace, k.cut)
}

// Close stops Run and waits for it, commits and leaves the group, so that others take
// over at once.
func (k *Consumer) Close() {
	k.closing.Do(func() {
		k.halt()
		k.running.Lock()
		defer k.running.Unlock()
		k.cut()
		ctx, cancel := context.WithTimeout(context.Background(), leaveTimeout)
		defer cancel()
		if err := k.client.CommitMarkedOffsets(ctx); err != nil {
			k.log.Warn("the last offsets were not committed; some messages will be seen again", zap.Error(err))
		}
		// Leaving runs the revoke callback; when the brokers are down nobody can be notified.
		_ = k.client.LeaveGroupContext(ctx) //nolint:errcheck // the session times out instead
		k.abandon()
		k.client.Close()
	})
}

// failed reports what went wrong with fetching, and steps over what can never be read.
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
	k.fetches.set(first)
	if first != nil {
		wait(k.stopping, maxBackoff)
	}
}

// skip steps over a batch that would unpack to more than fits: its messages can't be
// handed on, what is known about them can.
func (k *Consumer) skip(bomb *kgo.ErrDecompressTooLarge) {
	if p := k.owned()[bomb.Partition]; p != nil {
		p.busy.Wait() // what came before it must not count as done with it
	}
	note := &kgo.Record{Topic: domain.TopicStatusUpdatesFails, Headers: reasons(domain.CodeTooLarge, bomb.Error())}
	if !k.persist(k.stopping, func() error { return k.publish(note) }) {
		return
	}
	k.buried(domain.CodeTooLarge, bomb, zap.Int32("partition", bomb.Partition))
	k.client.SetOffsets(map[string]map[int32]kgo.EpochOffset{
		bomb.Topic: {bomb.Partition: {Epoch: bomb.Epoch, Offset: bomb.NextOffset}},
	})
}

// committed is called after every commit; a failed one is repeated with the next.
func (k *Consumer) committed(_ *kgo.Client, _ *kmsg.OffsetCommitRequest, _ *kmsg.OffsetCommitResponse, err error) {
	if err != nil && k.stopping.Err() == nil {
		k.log.Debug("offsets were not committed; trying again", zap.Error(err))
	}
}

// trouble logs once when something begins to fail and once when it works again.
type trouble struct {
	log  *zap.Logger
	what string

	mu    sync.Mutex
	since time.Time // zero while it works
}

func (t *trouble) set(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch failing := !t.since.IsZero(); {
	case err != nil && !failing:
		t.since = time.Now()
		t.log.Warn(t.what+": waiting and trying again until it works", zap.Error(err))
	case err == nil && failing:
		t.log.Info(t.what+": works again", zap.Duration("after", time.Since(t.since)))
		t.since = time.Time{}
	}
}

// wait pauses for d and says whether it did: not when ctx ended.
func wait(ctx context.Context, d time.Duration) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(d):
		return true
	}
}
