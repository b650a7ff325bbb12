package grpcserver

import (
	"context"
	"errors"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/dispatch"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
	"github.com/order-tracking/order-tracking/internal/idempotency"
	"github.com/order-tracking/order-tracking/internal/infrastructure/cache"
	"github.com/order-tracking/order-tracking/internal/infrastructure/database"
	"github.com/order-tracking/order-tracking/internal/orders"
	"github.com/order-tracking/order-tracking/internal/push"
	"github.com/order-tracking/order-tracking/internal/tracking"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// clock is a manual clock.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) pass(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// rig is a real server on a local socket with the real use cases over SQLite in a temporary
// file.
type rig struct {
	pb.OrderServiceClient
	conn     *grpc.ClientConn
	server   *grpc.Server
	addr     string
	orders   *orders.Service
	couriers *tracking.Couriers
	hub      *push.Hub
	clock    *clock
	logs     *observer.ObservedLogs

	metrics *prometheus.Registry
	deps    Deps
}

// interceptor returns the interceptors of a server with the same parts.
func (r *rig) interceptor() *interceptor {
	d := r.deps
	d.Registerer = nil
	t := newTelemetry(d, d.Log)
	t.server = r.server
	return &interceptor{telemetry: t}
}

// with are the options of a rig.
type with struct {
	key     string
	limit   access.Limit
	queue   int
	streams int // concurrent streams; 0 is unlimited
	ready   func(context.Context) error
	config  Config
	options []grpc.DialOption
}

func start(t *testing.T, w with) *rig {
	t.Helper()
	core, logs := observer.New(zap.DebugLevel)
	log := zap.New(core)
	store, err := database.OpenSQLite(t.Context(), filepath.Join(t.TempDir(), "test.db"), database.Options{Log: log})
	require.NoError(t, err)
	live := cache.NewMemory(cache.MemoryOptions{})
	now := &clock{now: time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)}
	var verbs *orders.Service
	hub := push.New(push.Config{
		Queue: max(w.queue, 1), MaxSubscriptions: w.streams, FleetTick: time.Second,
		Glimpse: func(ctx context.Context, o *domain.Order, v domain.View) (*domain.Position, error) {
			return verbs.Glimpse(ctx, o, v)
		},
	}, store, live, now, log)
	estimate := eta.Config{
		Speeds: map[domain.Vehicle]float64{domain.VehicleCar: 8}, Detour: 1.3, Handover: time.Minute,
		Dispatch: time.Minute, Default: time.Hour, FreshFor: 10 * time.Minute,
	}
	keys := idempotency.NewKeys(store, now)
	verbs = orders.New(orders.Deps{
		Store: store, Live: live, Clock: now, Log: log, Keys: keys, Estimate: estimate, PhoneRegion: "RU",
	}, hub)
	positions := tracking.New(tracking.Deps{
		Store: store, Live: live, Watchers: hub, Clock: now, Log: log, Keys: keys, Orders: verbs, Estimate: estimate,
		PhoneRegion: "RU", StaleAfter: time.Minute,
		KeepHistory: true, Plausible: domain.Plausibility{MaxSpeed: 100, MaxAccuracy: 1000},
	})
	work, endWork := context.WithCancel(context.Background())
	worked := make(chan struct{})
	go func() { defer close(worked); positions.Run(work) }()
	if w.ready == nil {
		w.ready = func(context.Context) error { return nil }
	}
	couriers := &tracking.Couriers{Service: positions}
	planner := dispatch.New(dispatch.Deps{
		Store: store, Live: live, Clock: now, Log: log, Keys: keys, Orders: verbs, Config: dispatch.DefaultConfig(), FreshFor: time.Minute,
		Offers:  dispatch.OfferConfig{ExpiresIn: time.Minute, Total: time.Hour, AtOnce: 1, OnNoTaker: dispatch.NoTakerAlert},
		Learned: estimate,
	})
	r := &rig{orders: verbs, couriers: couriers, hub: hub, clock: now, logs: logs, metrics: prometheus.NewRegistry()}
	r.deps = Deps{
		Registerer: r.metrics,
		Orders:     verbs, Couriers: couriers, Tracking: positions, Dispatch: planner, Hub: hub, Guard: access.NewGuard(nil, now, log, access.GuardConfig{BootstrapKey: w.key, Keyless: w.key == "", PerCaller: w.limit}), Ready: w.ready, Log: log, Clock: now, Config: w.config,
	}
	r.server = New(r.deps)
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	require.NoError(t, err)
	r.addr = listener.Addr().String()
	served := make(chan error, 1)
	go func() { served <- r.server.Serve(listener) }()
	r.conn = r.dial(t, w.options...)
	r.OrderServiceClient = pb.NewOrderServiceClient(r.conn)
	t.Cleanup(func() {
		r.hub.Close()
		r.server.Stop()
		if err := <-served; !errors.Is(err, grpc.ErrServerStopped) { // stopped before it served
			require.NoError(t, err)
		}
		endWork()
		<-worked
		require.NoError(t, store.Close())
	})
	return r
}

func (r *rig) dial(t *testing.T, options ...grpc.DialOption) *grpc.ClientConn {
	t.Helper()
	conn, err := grpc.NewClient("passthrough:///"+r.addr,
		append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))...)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, conn.Close()) })
	return conn
}

// admin returns a context for calling the use cases directly.
func admin() context.Context {
	return domain.WithActor(context.Background(), domain.Actor{Kind: domain.RoleAdmin, ID: "test"})
}

// draft is the smallest order.
func draft(externalID string) *pb.CreateOrderRequest {
	return &pb.CreateOrderRequest{
		ExternalId: externalID, Customer: &pb.Customer{Name: "Anna"},
		Pickup:  &pb.Place{Location: &pb.Point{Lat: 55.75, Lon: 37.61}},
		Dropoff: &pb.Place{Address: "Arbat 1", Location: &pb.Point{Lat: 55.76, Lon: 37.62}},
	}
}

func (r *rig) create(t *testing.T, externalID string) *pb.Order {
	t.Helper()
	out, err := r.CreateOrder(t.Context(), draft(externalID))
	require.NoError(t, err)
	return out.GetOrder()
}

func (r *rig) courier(t *testing.T, capacity int) string {
	t.Helper()
	name := "Ivan"
	c, err := r.couriers.Create(admin(), domain.CourierEdit{Name: &name, Capacity: &capacity})
	require.NoError(t, err)
	return c.ID
}

// step advances an order.
func (r *rig) step(t *testing.T, orderID string, to ...pb.OrderStatus) *pb.Order {
	t.Helper()
	var o *pb.Order
	for _, s := range to {
		out, err := r.UpdateOrderStatus(t.Context(), &pb.UpdateOrderStatusRequest{OrderId: orderID, Status: s})
		require.NoError(t, err)
		o = out.GetOrder()
	}
	return o
}

// report sends batches of one courier's positions.
func (r *rig) report(ctx context.Context, courierID string, batches ...[]*pb.Position) (*pb.ReportLocationsResponse, error) {
	stream, err := r.ReportLocations(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range batches {
		if err := stream.Send(&pb.ReportLocationsRequest{CourierId: courierID, Positions: b}); err != nil {
			break // CloseAndRecv returns the error
		}
	}
	return stream.CloseAndRecv()
}

// refused asserts the code and reason of an error and returns its ErrorInfo.
func refused(t *testing.T, err error, code codes.Code, reason string) *errdetails.ErrorInfo {
	t.Helper()
	require.Error(t, err)
	st := status.Convert(err)
	require.Equal(t, code, st.Code(), "%v", err)
	info := detail[*errdetails.ErrorInfo](t, st)
	require.Equal(t, reason, info.GetReason(), "%v", err)
	return info
}

// fields returns the rejected fields of an error with their reasons.
func fields(t *testing.T, err error) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, v := range detail[*errdetails.BadRequest](t, status.Convert(err)).GetFieldViolations() {
		out[v.GetField()] = v.GetReason()
	}
	return out
}
