package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging/broker"
)

const (
	// startPatience is how long the start waits for what has its own start, such as the
	// servers of a stack that comes up.
	startPatience = 30 * time.Second
	// askEvery is how often it asks meanwhile, and says so.
	askEvery = time.Second
	// askWithin is how long Kafka's answer may take; the other clients have such a limit.
	askWithin = 3 * time.Second
)

// openParts opens the database, the cache and the broker side by side: each reads files
// or waits for a server.
func (a *App) openParts(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	var store *database.Store
	g.Go(func() (err error) { store, err = a.openStore(ctx); return err })
	var redis *cache.Redis
	g.Go(func() (err error) { redis, err = a.openRedis(ctx); return err })
	var inside *broker.Broker
	g.Go(func() (err error) { inside, err = a.openBroker(ctx); return err })
	err := g.Wait()
	// What was opened is closed again, also when something else was not.
	if inside != nil {
		a.embedded = inside
		a.closing(inside.Close)
	}
	if store != nil {
		a.store = store
		a.closing(store.Close)
	}
	a.live = cache.NewMemory(cache.MemoryOptions{})
	if redis != nil {
		a.live, a.wakeups, a.redis = redis, redis, redis
		a.closing(redis.Close)
	}
	return err
}

func (a *App) openStore(ctx context.Context) (s *database.Store, err error) {
	engine, target, err := a.cfg.Database.ParseURL()
	if err != nil {
		return nil, err
	}
	o := database.Options{MaxGroup: a.cfg.Database.MaxGroup, Log: a.log, Committed: a.committed}
	if engine == config.SQLite { // whose file belongs to one process
		a.alone = true
		s, err = database.OpenSQLite(ctx, target, o)
	} else {
		err = await(ctx, a.log, "PostgreSQL", func(ctx context.Context) error {
			s, err = database.OpenPostgres(ctx, target, o)
			return err
		})
	}
	if err != nil {
		return nil, fmt.Errorf("database.url (DATABASE_URL): %w", domain.Explained(err))
	}
	return s, nil
}

// openRedis returns nil where everything stays in this process. The product works without
// Redis, so the start does not fail when it is away.
func (a *App) openRedis(ctx context.Context) (*cache.Redis, error) {
	if a.cfg.Redis.InMemory() {
		return nil, nil
	}
	r, err := cache.NewRedis(ctx, a.cfg.Redis.URL, cache.RedisOptions{Prefix: a.cfg.Redis.Prefix, Log: a.log})
	if err != nil {
		return nil, fmt.Errorf("redis.url (REDIS_URL): %w", err)
	}
	a.goOnWithout("Redis", await(ctx, a.log, "Redis", r.Ping))
	return r, nil
}

// openBroker starts the broker in this process, or waits for the ones outside and returns
// nil. The product works while these are away.
func (a *App) openBroker(ctx context.Context) (*broker.Broker, error) {
	if a.cfg.Kafka.Embedded() {
		return broker.Start(ctx, broker.Config{
			Listen: a.cfg.Kafka.Listen, PortFixed: a.cfg.KafkaListenExplicit, Dir: a.cfg.Kafka.Dir,
			Partitions: a.cfg.Kafka.Partitions, Log: a.log,
		})
	}
	p, err := messaging.NewProducer(a.kafkaClient())
	if err != nil {
		return nil, fmt.Errorf("kafka.brokers (KAFKA_BROKERS): %w", err)
	}
	defer p.Close()
	a.goOnWithout("Kafka", await(ctx, a.log, "Kafka", func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, askWithin)
		defer cancel()
		return p.Ping(ctx)
	}))
	return nil, nil
}

func (a *App) goOnWithout(what string, err error) {
	if err != nil {
		a.log.Warn("starting without "+what, zap.Error(domain.Explained(err)))
	}
}

// await asks until there is another answer than that something is unavailable, and gives
// up after startPatience or when the context ends.
func await(ctx context.Context, log *zap.Logger, what string, ask func(context.Context) error) error {
	for begun := time.Now(); ; {
		err := ask(ctx)
		if domain.CodeOf(err) != domain.CodeUnavailable {
			return err
		}
		waited, cause := time.Since(begun).Round(time.Second), domain.Explained(cmp.Or(errors.Unwrap(err), err))
		if waited < startPatience {
			log.Warn("waiting for "+what, zap.Duration("for", waited), zap.NamedError("cause", cause))
			select {
			case <-time.After(askEvery):
				continue
			case <-ctx.Done():
			}
		}
		return fmt.Errorf("%s does not answer, for %s now: %w", what, waited, cause)
	}
}
