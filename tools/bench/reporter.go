//go:build unix

package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/order-tracking/order-tracking/pkg/client"
	pb "github.com/order-tracking/order-tracking/proto/ordertracking/v1"
)

// phone is a courier's device. It belongs to one worker.
type phone struct {
	courier  string
	lat, lon float64
	at       time.Time // of the newest position
}

// drive moves on by a second's or so worth of driving.
func (p *phone) drive(at time.Time) {
	p.lat += (rand.Float64() - 0.5) * 0.0001
	p.lon += (rand.Float64() - 0.5) * 0.0002
	p.at = at
}

// phones are couriers on duty, spread over a city, who have not reported for long.
func phones(ctx context.Context, addr string, n int) ([]*phone, error) {
	h := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	c, err := client.New(addr, client.WithHTTPClient(h))
	if err != nil {
		return nil, err
	}
	defer h.CloseIdleConnections()
	out := make([]*phone, n)
	errs := make([]error, 64)
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			for i := w; i < n && errs[w] == nil; i += len(errs) {
				var made *client.Courier
				made, errs[w] = c.CreateCourier(ctx, client.CourierEdit{Name: client.Ptr(fmt.Sprint("Courier ", i)), OnDuty: client.Ptr(true)})
				if errs[w] == nil {
					out[i] = &phone{
						courier: made.ID, lat: 55.57 + rand.Float64()*0.36, lon: 37.3 + rand.Float64()*0.64,
						at: time.Now().Add(-47 * time.Hour),
					}
				}
			}
		})
	}
	wg.Wait()
	return out, errors.Join(errs...)
}

// report is how phones report over gRPC: each stream carries the messages of its own
// share of them, one phone after the other. The phones must divide by the streams.
type report struct {
	phones    []*phone
	streams   int
	batch     int                      // positions a message
	perSecond float64                  // messages over all streams; 0 is as fast as they are taken
	limit     int                      // messages in all; 0 is no limit
	clock     func(p *phone) time.Time // of the next position
}

// seconds is the clock of phones that send what they have collected, second by second.
func seconds(p *phone) time.Time { return p.at.Add(time.Second) }

// run reports until the context ends or the limit is reached, and returns how many
// positions were taken. It is an error when one was dropped.
func (r report) run(ctx context.Context, conn *grpc.ClientConn) (int64, error) {
	var taken, sent atomic.Int64
	errs := make([]error, r.streams)
	var wg sync.WaitGroup
	for w := range errs {
		wg.Go(func() {
			var n int64
			n, errs[w] = r.stream(ctx, conn, w, &sent)
			taken.Add(n)
		})
	}
	wg.Wait()
	return taken.Load(), errors.Join(errs...)
}

func (r report) stream(ctx context.Context, conn *grpc.ClientConn, w int, sent *atomic.Int64) (int64, error) {
	s, err := pb.NewOrderServiceClient(conn).ReportLocations(context.WithoutCancel(ctx))
	if err != nil {
		return 0, err
	}
	in := &pb.ReportLocationsRequest{Positions: make([]*pb.Position, r.batch)}
	for i := range in.Positions {
		in.Positions[i] = &pb.Position{
			Accuracy: client.Ptr(5.0), Speed: client.Ptr(7.5), Heading: client.Ptr(90.0), RecordedAt: &timestamppb.Timestamp{},
		}
	}
	pace := newPace(r.perSecond/float64(r.streams), w, r.streams)
	for i := w; pace.wait(ctx); i += r.streams {
		if r.limit > 0 && sent.Add(1) > int64(r.limit) {
			break
		}
		p := r.phones[i%len(r.phones)]
		in.CourierId = p.courier
		for _, out := range in.Positions {
			p.drive(r.clock(p))
			out.Lat, out.Lon = p.lat, p.lon
			out.RecordedAt.Seconds, out.RecordedAt.Nanos = p.at.Unix(), int32(p.at.Nanosecond())
		}
		if err := s.Send(in); err != nil {
			break // CloseAndRecv knows why
		}
	}
	got, err := s.CloseAndRecv()
	if err == nil && got.GetDropped() > 0 {
		err = fmt.Errorf("%d of %d positions were dropped", got.GetDropped(), got.GetDropped()+got.GetAccepted())
	}
	return got.GetAccepted(), err
}

func dialGRPC(addr string) (*grpc.ClientConn, error) {
	return grpc.NewClient(addr, grpc.WithTransportCredentials(insecure.NewCredentials()))
}

// inCustody gives every phone an order on its way, and returns their ids.
func inCustody(ctx context.Context, addr string, all []*phone) ([]string, error) {
	c, err := client.New(addr)
	if err != nil {
		return nil, err
	}
	ids := make([]string, len(all))
	var draft client.Draft
	if err := json.Unmarshal([]byte(orderBody), &draft); err != nil {
		return nil, err
	}
	for i, p := range all {
		o, err := c.CreateOrder(ctx, draft)
		if err != nil {
			return nil, err
		}
		if _, err := c.AssignCourier(ctx, o.ID, p.courier); err != nil {
			return nil, err
		}
		if _, err := c.UpdateStatus(ctx, o.ID, client.StatusChange{Status: client.StatusPickedUp}); err != nil {
			return nil, err
		}
		ids[i] = o.ID
	}
	return ids, nil
}
