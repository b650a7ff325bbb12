package grpcserver

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/order-tracking/order-tracking/internal/domain"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// The server's cost per position: from the bytes to the use case's input.
func BenchmarkReportedPosition(b *testing.B) {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	v := 5.0
	in := &pb.ReportLocationsRequest{CourierId: domain.NewID()}
	for i := range 100 {
		in.Positions = append(in.Positions, &pb.Position{
			Lat: 55.7, Lon: 37.6, Accuracy: &v, Speed: &v, Heading: &v,
			RecordedAt: timestamppb.New(now.Add(time.Duration(i) * time.Second)),
		})
	}
	data, err := proto.Marshal(in)
	require.NoError(b, err)
	b.ReportAllocs()
	var l locations
	for b.Loop() {
		if err := l.unmarshal(data); err != nil || len(l.positions) != len(in.Positions) {
			b.Fatal(err, len(l.positions))
		}
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N*len(in.Positions)), "ns/position")
}

func BenchmarkOrderTo(b *testing.B) {
	o := order.Example(3)
	b.ReportAllocs()
	for b.Loop() {
		orderTo(o)
	}
}
