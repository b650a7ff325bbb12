package grpcserver

import (
	"math"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// No message causes an internal error.
func TestHostileMessages(t *testing.T) {
	r := start(t, with{queue: 10})
	o := r.create(t, "A-1").GetId()
	texts := []string{"", "A-1", o, r.courier(t, 1000), domain.NewID(), "\x00", "я", strings.Repeat("x", 3000), "live", "status"}
	fine := map[codes.Code]bool{
		codes.OK: true, codes.InvalidArgument: true, codes.NotFound: true, codes.FailedPrecondition: true,
		codes.AlreadyExists: true, codes.Aborted: true,
	}
	methods := pb.File_ordertracking_v1_order_service_proto.Services().Get(0).Methods()
	rapid.Check(t, func(rt *rapid.T) {
		m := methods.Get(rapid.IntRange(0, methods.Len()-1).Draw(rt, "method"))
		if m.IsStreamingServer() {
			rt.Skip("answers without end; TestWatchRefusals has what can be wrong with its two fields")
		}
		in := randomMessage(rt, m.Input(), texts, 3)
		var err error
		if m.IsStreamingClient() {
			err = r.streamed(t.Context(), t, 1, encode(rt, in))
		} else {
			out, findErr := protoregistry.GlobalTypes.FindMessageByName(m.Output().FullName())
			require.NoError(rt, findErr)
			err = r.conn.Invoke(t.Context(), "/ordertracking.v1.OrderService/"+string(m.Name()), in, out.New().Interface())
		}
		if !fine[status.Code(err)] {
			rt.Fatalf("%s: %v\n%v", m.Name(), err, in)
		}
	})
	require.Empty(t, r.logs.FilterLevelExact(zap.ErrorLevel).All())
	require.Empty(t, r.logs.FilterLevelExact(zap.WarnLevel).All())
}

func encode(t *rapid.T, m proto.Message) []byte {
	b, err := proto.Marshal(m)
	require.NoError(t, err)
	return b
}

// randomMessage fills some of a message's fields with invalid values.
func randomMessage(t *rapid.T, d protoreflect.MessageDescriptor, texts []string, depth int) proto.Message {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
	require.NoError(t, err)
	m := kind.New()
	for i := range d.Fields().Len() {
		fd := d.Fields().Get(i)
		if depth == 0 || rapid.IntRange(0, 3).Draw(t, string(fd.Name())+" absent") == 0 {
			continue
		}
		switch {
		case fd.IsMap():
			key := rapid.SampledFrom(texts).Draw(t, "key")
			m.Mutable(fd).Map().Set(protoreflect.ValueOfString(key).MapKey(), randomValue(t, fd.MapValue(), texts, depth))
		case fd.IsList():
			for range rapid.IntRange(0, 3).Draw(t, string(fd.Name())) {
				m.Mutable(fd).List().Append(randomValue(t, fd, texts, depth))
			}
		default:
			m.Set(fd, randomValue(t, fd, texts, depth))
		}
	}
	return m.Interface()
}

func randomValue(t *rapid.T, fd protoreflect.FieldDescriptor, texts []string, depth int) protoreflect.Value {
	name := string(fd.Name())
	integer := rapid.SampledFrom([]int64{0, 1, 2, 50, -1, math.MaxInt32, math.MinInt32})
	switch fd.Kind() {
	case protoreflect.MessageKind:
		return protoreflect.ValueOfMessage(randomMessage(t, fd.Message(), texts, depth-1).ProtoReflect())
	case protoreflect.EnumKind:
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(rapid.Int32Range(-1, 17).Draw(t, name)))
	case protoreflect.BytesKind:
		return protoreflect.ValueOfBytes([]byte(rapid.SampledFrom(texts).Draw(t, name)))
	case protoreflect.BoolKind:
		return protoreflect.ValueOfBool(rapid.Bool().Draw(t, name))
	case protoreflect.DoubleKind:
		return protoreflect.ValueOfFloat64(rapid.SampledFrom([]float64{
			0, 1, 55.7, -90, 91, 361, math.NaN(), math.Inf(1), math.Inf(-1), math.MaxFloat64,
		}).Draw(t, name))
	case protoreflect.Int32Kind:
		return protoreflect.ValueOfInt32(int32(integer.Draw(t, name)))
	case protoreflect.Int64Kind:
		return protoreflect.ValueOfInt64(rapid.OneOf(integer,
			rapid.SampledFrom([]int64{1_777_000_000, 253_402_300_800, -62_135_596_800, math.MaxInt64, math.MinInt64})).Draw(t, name))
	}
	return protoreflect.ValueOfString(rapid.SampledFrom(texts).Draw(t, name))
}
