package pings

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/timestamppb"

	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// sums is what the answers count.
type sums struct{ accepted, dropped, refused int64 }

// sender is one connection over which cabs report.
type sender interface {
	send(ctx context.Context, c *cab, batch []ping) error
	// settle returns when all that was sent is answered.
	settle(ctx context.Context) error
	sums() sums
}

// unanswered is how many batches are sent on a stream before it is closed to get their
// results.
const unanswered = 2000

func dial(addr string) (*grpc.ClientConn, error) {
	return grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// grpcSender sends batches over ReportLocations, one stream after the other.
type grpcSender struct {
	orders  pb.OrderServiceClient
	key     string
	stream  grpc.ClientStreamingClient[pb.ReportLocationsRequest, pb.ReportLocationsResponse]
	waiting []*pb.ReportLocationsRequest // sent over the stream and not answered
	total   sums
}

func (s *grpcSender) sums() sums { return s.total }

func (s *grpcSender) send(ctx context.Context, c *cab, batch []ping) error {
	r := &pb.ReportLocationsRequest{CourierId: c.courier, Positions: make([]*pb.Position, len(batch))}
	for i, p := range batch {
		r.Positions[i] = &pb.Position{Lat: p.lat, Lon: p.lon, RecordedAt: timestamppb.New(p.at)}
	}
	s.waiting = append(s.waiting, r)
	if err := s.write(ctx, r); err != nil {
		return s.settle(ctx) // which tells why, and sends what is left
	}
	if len(s.waiting) >= unanswered {
		return s.settle(ctx)
	}
	return nil
}

func (s *grpcSender) write(ctx context.Context, r *pb.ReportLocationsRequest) error {
	if s.stream == nil {
		if s.key != "" {
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+s.key)
		}
		stream, err := s.orders.ReportLocations(ctx)
		if err != nil {
			return err
		}
		s.stream = stream
	}
	return s.stream.Send(r)
}

// settle closes the stream. A server that can't keep up says after which batch; the rest
// is sent again.
func (s *grpcSender) settle(ctx context.Context) error {
	for len(s.waiting) > 0 {
		if s.stream == nil {
			for _, r := range s.waiting {
				if err := s.write(ctx, r); errors.Is(err, io.EOF) {
					break
				} else if err != nil {
					return err
				}
			}
		}
		reply, err := s.stream.CloseAndRecv()
		s.stream = nil
		if err == nil {
			s.total.accepted += reply.GetAccepted()
			s.total.dropped += reply.GetDropped()
			s.waiting = nil
			return nil
		}
		if err := s.resume(err); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return nil
}

// resume drops from what waits the batches that an error says were taken.
func (s *grpcSender) resume(err error) error {
	st, _ := status.FromError(err)
	if st.Code() != codes.Unavailable && st.Code() != codes.ResourceExhausted {
		return err
	}
	for _, d := range st.Details() {
		info, ok := d.(*errdetails.ErrorInfo)
		if !ok {
			continue
		}
		var taken [3]int64
		for i, name := range []string{"batch", "accepted", "dropped"} {
			v, bad := strconv.ParseInt(info.GetMetadata()[name], 10, 64)
			if bad != nil {
				return fmt.Errorf("the error does not say %s: %w", name, err)
			}
			taken[i] = v
		}
		s.total.accepted += taken[1]
		s.total.dropped += taken[2]
		s.total.refused++
		s.waiting = s.waiting[min(int(taken[0]), len(s.waiting)):]
		return nil
	}
	return fmt.Errorf("the error does not say what was taken: %w", err)
}
