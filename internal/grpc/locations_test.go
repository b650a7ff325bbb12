package grpcserver

import (
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// positionsFrom decodes a message through the library's type.
func positionsFrom(in []*pb.Position) []domain.Position {
	out := make([]domain.Position, len(in))
	for i, p := range in {
		out[i] = domain.Position{
			Lat: p.GetLat(), Lon: p.GetLon(), RecordedAt: timeFrom(p.GetRecordedAt()),
		}
		if p != nil {
			out[i].Accuracy, out[i].Speed, out[i].Heading = p.Accuracy, p.Speed, p.Heading
			out[i].Altitude, out[i].Battery = p.Altitude, p.Battery
		}
	}
	return out
}

// sameAsLibrary requires bytes to be decoded, or rejected, as by the library.
func sameAsLibrary(t require.TestingT, l *locations, data []byte) {
	var m pb.ReportLocationsRequest
	wrong := proto.Unmarshal(data, &m)
	err := l.unmarshal(data)
	if wrong != nil {
		require.Error(t, err, "%x", data)
		return
	}
	require.NoError(t, err, "%x", data)
	require.Equal(t, m.GetCourierId(), l.courierID)
	if diff := cmp.Diff(positionsFrom(m.GetPositions()), l.positions, cmpopts.EquateNaNs(), cmpopts.EquateEmpty()); diff != "" {
		require.Fail(t, diff)
	}
}

func TestLocationsAreReadAsTheLibraryDoes(t *testing.T) {
	texts := []string{"", "x", domain.NewID(), "я"}
	rapid.Check(t, func(t *rapid.T) {
		var l locations
		for range 2 { // the second time into the used value
			m := randomMessage(t, (&pb.ReportLocationsRequest{}).ProtoReflect().Descriptor(), texts, 4)
			sameAsLibrary(t, &l, append(encode(t, m), encode(t, m)...))
		}
	})
}

// A position that was kept does not change when the next message is read.
func TestReadPositionsStay(t *testing.T) {
	var l locations
	speed := 1.0
	data, err := proto.Marshal(&pb.ReportLocationsRequest{Positions: []*pb.Position{{Speed: &speed}}})
	require.NoError(t, err)
	require.NoError(t, l.unmarshal(data))
	kept := l.positions[0]
	speed = 2
	data, err = proto.Marshal(&pb.ReportLocationsRequest{Positions: []*pb.Position{{Speed: &speed}}})
	require.NoError(t, err)
	for range 2 * roomSize {
		require.NoError(t, l.unmarshal(data))
	}
	require.Equal(t, 1.0, *kept.Speed)
}

func FuzzLocations(f *testing.F) {
	v := math.Pi
	seed, err := proto.Marshal(&pb.ReportLocationsRequest{CourierId: "c", Positions: []*pb.Position{
		{Lat: 1, Lon: 2, Accuracy: &v, Battery: &v, RecordedAt: timestamppb.Now(), ReceivedAt: &timestamppb.Timestamp{Nanos: -1}}, {},
	}})
	require.NoError(f, err)
	f.Add(seed)
	f.Add(protowire.AppendString(protowire.AppendTag(nil, 1, protowire.BytesType), "\xff"))
	f.Add(protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 7))
	f.Add(append(protowire.AppendTag(nil, 99, protowire.StartGroupType), protowire.AppendTag(nil, 99, protowire.EndGroupType)...))
	f.Add([]byte("\x88\xf9\x9c\xd800")) // an invalid field number
	f.Fuzz(func(t *testing.T, data []byte) { sameAsLibrary(t, &locations{}, data) })
}
