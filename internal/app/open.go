package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"github.com/order-tracking/order-tracking/config"
	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	httpserver "github.com/order-tracking/order-tracking/internal/http"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging/broker"
	"github.com/order-tracking/order-tracking/pkg/pmtiles"
)

const (
	// startPatience is how long startup waits for dependencies that may still be starting,
	// such as the servers of a compose stack.
	startPatience = 30 * time.Second
	// askEvery is the interval of its attempts, each with a log line.
	askEvery = time.Second
	// askWithin limits a Kafka ping; the other clients have their own limit.
	askWithin = 3 * time.Second
)

// openParts opens the database, the cache and the broker in parallel: each reads files or waits for a server.
func (a *App) openParts(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	var store *database.Store
	g.Go(func() (err error) { store, err = a.openStore(ctx); return err })
	var redis *cache.Redis
	g.Go(func() (err error) { redis, err = a.openRedis(ctx); return err })
	var inside *broker.Broker
	g.Go(func() (err error) { inside, err = a.openBroker(ctx); return err })
	err := g.Wait()
	// Register what was opened for closing, even if another part failed.
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
	if engine == config.SQLite { // its file belongs to a single process
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

// openRedis returns nil if the cache is in memory. The product works without Redis, so startup does not fail if it is down.
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

// openBroker starts the embedded broker, or waits for the external ones and returns nil. The product works while these are down.
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

// await repeats ask while it fails with unavailable, and gives up after startPatience or when the context ends.
func await(ctx context.Context, log *zap.Logger, what string, ask func(context.Context) error) error {
	for begun := time.Now(); ; {
		err := ask(ctx)
		if domain.CodeOf(err) != domain.CodeUnavailable {
			return err
		}
		waited, cause := time.Since(begun).Round(time.Second), domain.Explained(cmp.Or(errors.Unwrap(err), err))
		if waited < startPatience {
			log.Warn("waiting for "+what, zap.Duration("for", waited), zap.NamedError("cause", cause))
			if background.Sleep(ctx, askEvery) {
				continue
			}
		}
		return fmt.Errorf("%s does not answer, for %s now: %w", what, waited, cause)
	}
}

// maxLogo is the largest logo in bytes.
const maxLogo = 256 << 10

var logoTypes = map[string]string{".svg": "image/svg+xml", ".png": "image/png", ".webp": "image/webp"}

// pages opens the operator's files for the web pages. An unusable file aborts startup, since
// the cause of an empty map would be hard to find.
func (a *App) pages() (httpserver.Pages, error) {
	p := httpserver.Pages{
		Name: a.cfg.Brand.Name, Accent: a.cfg.Brand.Accent, CallURL: a.cfg.Call.URL, Tiles: a.cfg.Map.Tiles, Attribution: a.cfg.Map.Attribution,
	}
	if path := a.cfg.Brand.Logo; path != "" {
		var known bool
		if p.LogoType, known = logoTypes[strings.ToLower(filepath.Ext(path))]; !known {
			return p, fmt.Errorf("brand.logo (%s) must be an .svg, .png or .webp file and is %q", a.cfg.Origin("brand.logo"), path)
		}
		info, err := os.Stat(path)
		if err == nil && info.Size() > maxLogo {
			err = fmt.Errorf("%s has %d bytes and may have %d", path, info.Size(), maxLogo)
		}
		if err == nil {
			p.Logo, err = os.ReadFile(path) //nolint:gosec // the operator's own path
		}
		if err != nil {
			return p, fmt.Errorf("brand.logo (%s): %w", a.cfg.Origin("brand.logo"), err)
		}
	}
	if path := a.cfg.Map.PMTiles; path != "" {
		archive, err := pmtiles.Open(path)
		if err != nil {
			return p, fmt.Errorf("map.pmtiles (%s): %s %w", a.cfg.Origin("map.pmtiles"), path, err)
		}
		a.closing(archive.Close)
		p.Map = archive
		a.log.Info("maps use a local tile file", zap.String("file", path), zap.Uint8("max_zoom", archive.MaxZoom),
			zap.Float64s("west_south_east_north", []float64{archive.MinLon, archive.MinLat, archive.MaxLon, archive.MaxLat}))
	}
	return p, nil
}
