package grpcserver

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/reflection/grpc_reflection_v1"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/emptypb"

	"github.com/order-tracking/order-tracking/internal/access"
	"github.com/order-tracking/order-tracking/internal/domain"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

const adminKey = "0123456789abcdef0123456789abcdef"

// raw sends bytes unchanged and labels them as proto.
type raw struct{}

func (raw) Name() string { return "proto" }

func (raw) Marshal(v any) (mem.BufferSlice, error) {
	b, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("not bytes: %T", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(b)}, nil
}

func (raw) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// each calls every method of the service with these bytes as the message.
func (r *rig) each(ctx context.Context, t *testing.T, data []byte, check func(method string, err error)) {
	t.Helper()
	for _, m := range pb.OrderService_ServiceDesc.Methods {
		var answer []byte
		name := "/" + pb.OrderService_ServiceDesc.ServiceName + "/" + m.MethodName
		check(m.MethodName, r.conn.Invoke(ctx, name, data, &answer, grpc.ForceCodecV2(raw{})))
	}
	for i := range pb.OrderService_ServiceDesc.Streams {
		check(pb.OrderService_ServiceDesc.Streams[i].StreamName, r.streamed(ctx, t, i, data))
	}
}

// streamed opens the stream, sends one message and returns how the stream ended.
func (r *rig) streamed(ctx context.Context, t *testing.T, i int, data []byte) error {
	t.Helper()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	desc := &pb.OrderService_ServiceDesc.Streams[i]
	s, err := r.conn.NewStream(ctx, desc, "/"+pb.OrderService_ServiceDesc.ServiceName+"/"+desc.StreamName, grpc.ForceCodecV2(raw{}))
	require.NoError(t, err)
	if err := s.SendMsg(data); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if err := s.CloseSend(); err != nil {
		return err
	}
	for {
		var answer []byte
		if err := s.RecvMsg(&answer); err != nil {
			if errors.Is(err, io.EOF) {
				return nil
			}
			return err
		}
	}
}

func TestEveryMethodNeedsTheKey(t *testing.T) {
	r := start(t, with{key: adminKey})
	for _, header := range []string{"", "Bearer", "Bearer wrong", adminKey, "Basic " + adminKey} {
		ctx := t.Context()
		if header != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", header)
		}
		r.each(ctx, t, nil, func(method string, err error) { refused(t, err, codes.Unauthenticated, "unauthenticated") })
	}
	for _, header := range []string{"Bearer " + adminKey, "bearer  " + adminKey} {
		_, err := r.CreateOrder(metadata.AppendToOutgoingContext(t.Context(), "authorization", header), draft(""))
		require.NoError(t, err)
	}
}

func TestWithoutAKeyOnlyLocalNamesAreServed(t *testing.T) {
	r := start(t, with{options: []grpc.DialOption{grpc.WithAuthority("orders.example.com")}})
	r.each(t.Context(), t, nil, func(method string, err error) { refused(t, err, codes.PermissionDenied, "forbidden") })
	local := pb.NewOrderServiceClient(r.dial(t, grpc.WithAuthority("localhost:9090")))
	_, err := local.CreateOrder(t.Context(), draft(""))
	require.NoError(t, err)
	ctx := metadata.AppendToOutgoingContext(t.Context(), "origin", "https://evil.example.com")
	_, err = local.CreateOrder(ctx, draft(""))
	refused(t, err, codes.PermissionDenied, "forbidden")
}

func TestUnreadableMessages(t *testing.T) {
	r := start(t, with{})
	for name, data := range map[string][]byte{
		"cut short":     {0x0a, 0x7f, 'x'},
		"invalid UTF-8": {0x0a, 0x02, 0xff, 0xfe},
		"no proto":      []byte("\xff\xff\xff\xff{}"),
	} {
		t.Run(name, func(t *testing.T) {
			r.each(t.Context(), t, data, func(method string, err error) {
				info := refused(t, err, codes.InvalidArgument, "malformed")
				require.NotEmpty(t, info.GetMetadata()["request_id"], method)
			})
		})
	}
	require.Zero(t, r.logs.FilterLevelExact(zap.ErrorLevel).Len(), "bad input is not an error of ours")
}

func TestTooLargeMessages(t *testing.T) {
	r := start(t, with{config: Config{MaxMessageBytes: 1000}})
	r.each(t.Context(), t, make([]byte, 1001), func(method string, err error) {
		refused(t, err, codes.ResourceExhausted, "too_large")
	})
	_, err := r.CreateOrder(t.Context(), draft("still fine"))
	require.NoError(t, err)
}

// Empty messages: no method reports an internal error.
func TestEmptyMessages(t *testing.T) {
	r := start(t, with{})
	r.each(t.Context(), t, nil, func(method string, err error) {
		if method == "GetOrders" {
			require.NoError(t, err)
			return
		}
		refused(t, err, codes.InvalidArgument, "validation_failed")
	})
}

func TestRequestIDs(t *testing.T) {
	r := start(t, with{})
	for given, kept := range map[string]bool{
		"req-42/a": true, "": false, "with space": false, strings.Repeat("x", domain.MaxKey+1): false,
	} {
		var header metadata.MD
		ctx := metadata.AppendToOutgoingContext(t.Context(), "x-request-id", given)
		_, err := r.GetOrder(ctx, &pb.GetOrderRequest{OrderId: domain.NewID()}, grpc.Header(&header))
		require.Len(t, header.Get("x-request-id"), 1)
		id := header.Get("x-request-id")[0]
		require.NotEmpty(t, id)
		require.Equal(t, kept, id == given)
		require.Equal(t, id, refused(t, err, codes.NotFound, "order_not_found").GetMetadata()["request_id"])
	}
	require.Equal(t, 4, r.logs.FilterMessage("gRPC call").Len(), "each call is in the access log")
	require.Equal(t, 1, r.logs.FilterField(zap.String("request_id", "req-42/a")).Len())
}

func TestPanicsAreAnswered(t *testing.T) {
	r := start(t, with{})
	in := r.interceptor()
	_, err := in.unary(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/grpc.health.v1.Health/Check"},
		func(context.Context, any) (any, error) { panic("the roof is on fire") })
	refused(t, err, codes.Internal, "internal")
	require.NotContains(t, err.Error(), "roof")
	entry := r.logs.FilterMessage("gRPC call panicked").All()
	require.Len(t, entry, 1)
	require.Equal(t, "the roof is on fire", entry[0].ContextMap()["panic"])
}

func TestCausesAreLoggedAndNotTold(t *testing.T) {
	r := start(t, with{})
	in := r.interceptor()
	for _, cause := range []error{errors.New("disk on fire"), domain.Unavailable("the database", errors.New("disk on fire"))} {
		_, err := in.unary(t.Context(), nil, &grpc.UnaryServerInfo{FullMethod: "/grpc.health.v1.Health/Check"},
			func(context.Context, any) (any, error) { return nil, cause })
		require.NotContains(t, err.Error(), "fire")
	}
	var told string
	for _, e := range r.logs.FilterMessageSnippet("gRPC call failed").All() {
		told += fmt.Sprint(e.ContextMap())
	}
	require.Equal(t, 2, strings.Count(told, "disk on fire"), told)
}

func TestHealth(t *testing.T) {
	var down atomic.Bool
	r := start(t, with{key: adminKey, ready: func(context.Context) error { // no key needed
		if down.Load() {
			return errors.New("down")
		}
		return nil
	}})
	health := grpc_health_v1.NewHealthClient(r.conn)
	check := func(service string) (grpc_health_v1.HealthCheckResponse_ServingStatus, error) {
		out, err := health.Check(t.Context(), &grpc_health_v1.HealthCheckRequest{Service: service})
		return out.GetStatus(), err
	}
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	watch, err := health.Watch(ctx, &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	for i, want := range []grpc_health_v1.HealthCheckResponse_ServingStatus{
		grpc_health_v1.HealthCheckResponse_SERVING, grpc_health_v1.HealthCheckResponse_NOT_SERVING,
	} {
		down.Store(i == 1)
		for _, service := range []string{"", "ordertracking.v1.OrderService"} {
			got, err := check(service)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
		told, err := watch.Recv()
		require.NoError(t, err)
		require.Equal(t, want, told.GetStatus())
	}
	_, err = check("somebody.else")
	require.Equal(t, codes.NotFound, status.Code(err))
	all, err := health.List(t.Context(), &grpc_health_v1.HealthListRequest{})
	require.NoError(t, err)
	require.Len(t, all.GetStatuses(), 2)
}

// listServices lists the services by reflection.
func listServices(ctx context.Context, r *rig) (*grpc_reflection_v1.ServerReflectionResponse, error) {
	stream, err := grpc_reflection_v1.NewServerReflectionClient(r.conn).ServerReflectionInfo(ctx)
	if err != nil {
		return nil, err
	}
	_ = stream.Send(&grpc_reflection_v1.ServerReflectionRequest{ // Recv returns the error
		MessageRequest: &grpc_reflection_v1.ServerReflectionRequest_ListServices{},
	})
	return stream.Recv()
}

func TestReflectionIsForAdministrators(t *testing.T) {
	keyless, keyed := start(t, with{}), start(t, with{key: adminKey})
	_, err := listServices(t.Context(), keyed)
	refused(t, err, codes.Unauthenticated, "unauthenticated")
	for ctx, r := range map[context.Context]*rig{
		t.Context(): keyless,
		metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+adminKey): keyed,
	} {
		out, err := listServices(ctx, r)
		require.NoError(t, err)
		var names []string
		for _, s := range out.GetListServicesResponse().GetService() {
			names = append(names, s.GetName())
		}
		require.Contains(t, names, "ordertracking.v1.OrderService")
	}
}

func TestEveryCallIsCountedAndLogged(t *testing.T) {
	r := start(t, with{config: Config{AccessLog: true}})
	_, err := r.CreateOrder(t.Context(), draft("counted"))
	require.NoError(t, err)
	_, err = r.GetOrder(t.Context(), &pb.GetOrderRequest{OrderId: domain.NewID()})
	refused(t, err, codes.NotFound, "order_not_found")
	for i := range 3 { // callers can't create series
		err = r.conn.Invoke(t.Context(), fmt.Sprintf("/nobody.v%d/Knows", i), &pb.GetOrderRequest{}, &pb.GetOrderResponse{})
		require.Equal(t, codes.Unimplemented, status.Code(err))
	}
	_, err = grpc_health_v1.NewHealthClient(r.conn).Check(t.Context(), &grpc_health_v1.HealthCheckRequest{})
	require.NoError(t, err)
	families, err := r.metrics.Gather()
	require.NoError(t, err)
	counted := map[string]float64{}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			name := f.GetName()
			for _, l := range m.GetLabel() {
				name += " " + l.GetValue()
			}
			counted[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	require.Equal(t, map[string]float64{
		"grpc_server_handled_total NotFound GetOrder ordertracking.v1.OrderService": 1,
		"grpc_server_handled_total OK Check grpc.health.v1.Health":                  1,
		"grpc_server_handled_total OK CreateOrder ordertracking.v1.OrderService":    1,
		"grpc_server_handled_total Unimplemented unknown unknown":                   3,
		"grpc_server_handling_seconds CreateOrder ordertracking.v1.OrderService":    1,
		"grpc_server_handling_seconds GetOrder ordertracking.v1.OrderService":       1,
		"grpc_server_handling_seconds Check grpc.health.v1.Health":                  1,
	}, counted)
	lines := r.logs.FilterMessage("gRPC call").FilterLevelExact(zap.InfoLevel).All()
	require.Len(t, lines, 5, "health is asked too often to be told")
	for _, l := range lines {
		require.Subset(t, slices.Collect(maps.Keys(l.ContextMap())), []string{"method", "code", "took", "request_id", "remote"})
	}
}

func TestUnknownMethod(t *testing.T) {
	r := start(t, with{})
	err := r.conn.Invoke(t.Context(), "/ordertracking.v1.OrderService/Nothing", &emptypb.Empty{}, &emptypb.Empty{})
	require.Equal(t, codes.Unimplemented, status.Code(err))
}

func TestCallersDeadlineIsTheirs(t *testing.T) {
	r := start(t, with{})
	ctx, cancel := context.WithDeadline(t.Context(), time.Now().Add(-time.Second))
	defer cancel()
	_, err := r.CreateOrder(ctx, draft(""))
	require.Equal(t, codes.DeadlineExceeded, status.Code(err))
}

func TestCallsAreLimitedAndSayWhatIsLeft(t *testing.T) {
	key := strings.Repeat("k", 32)
	r := start(t, with{key: key, limit: access.Limit{Rate: 0.001, Burst: 2}})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer "+key)
	for left, code := range []codes.Code{2: codes.ResourceExhausted} {
		var header metadata.MD
		_, err := r.GetOrders(ctx, &pb.GetOrdersRequest{}, grpc.Header(&header))
		require.Equal(t, code, status.Code(err))
		require.Equal(t, []string{`"default";q=2;w=2000`}, header.Get("ratelimit-policy"))
		require.Equal(t, []string{fmt.Sprintf(`"default";r=%d;t=%d`, max(0, 1-left), 1000*min(left+1, 2))}, header.Get("ratelimit"))
	}
}
