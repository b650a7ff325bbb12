package tracking

import (
	"context"
	"encoding/json"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/eta"
)

const (
	learnEvery   = 5 * time.Second
	lessonsTaken = 200  // worked out in one go
	lessonsRead  = 1000 // learned in one go
	// snapshotAfter is after how many lessons what was learned is stored, so that the next start reads few.
	snapshotAfter = 500
	trailTaken    = 2000
	// How often the quality of estimates is looked at, over how many days, and how many of the worst groups metrics tell.
	lookEvery  = 5 * time.Minute
	lookDays   = 7
	lookGroups = 10
)

// learner feeds the book that estimates are made from. Lessons are noted with the orders that
// teach them. Any replica works them out and gives them places; each learns them in the
// sequence of the places, from the newest snapshot on, so that all come to know the same.
type learner struct {
	*Deps
	wake   chan struct{}
	stored int64 // place of the last snapshot
	looked time.Time
	// quality is how well the estimates of the last week held, by all and by group.
	quality atomic.Pointer[map[domain.ReportBy][]domain.EstimateGroup]
}

// run learns until the context ends.
func (l *learner) run(ctx context.Context) {
	if l.Estimate.Book == nil {
		return
	}
	l.restore(ctx)
	background.Loop(ctx, l.wake, learnEvery, func() time.Duration {
		if err := l.once(ctx); err != nil && ctx.Err() == nil {
			l.Log.Debug("deliveries not learned", zap.Error(err))
		}
		l.look(ctx)
		return learnEvery
	})
}

// restore reads the newest snapshot; without a readable one everything is learned again.
func (l *learner) restore(ctx context.Context) {
	data, err := l.Store.Book(ctx)
	if err == nil && len(data) > 0 {
		err = l.Estimate.Book.Restore(data)
	}
	if err != nil && ctx.Err() == nil {
		l.Log.Warn("what estimates had learned is not readable; it is learned again", zap.Error(err))
	}
	l.stored = l.Estimate.Book.Place()
}

// once works out what is pending and learns what is new.
func (l *learner) once(ctx context.Context) error {
	for {
		pending, err := l.Store.PendingLessons(ctx, lessonsTaken)
		if err != nil {
			return err
		}
		if len(pending) == 0 {
			return l.learn(ctx)
		}
		lessons := make([]domain.Lesson, 0, len(pending))
		for _, ref := range pending {
			lesson, err := l.workOut(ctx, ref)
			if err != nil {
				return err
			}
			lessons = append(lessons, lesson)
		}
		slices.SortStableFunc(lessons, func(a, b domain.Lesson) int { return a.At.Compare(b.At) })
		if err := l.Store.KeepLessons(ctx, lessons); err != nil {
			return err
		}
		if err := l.learn(ctx); err != nil {
			return err
		}
	}
}

// learn takes in the lessons that have a place.
func (l *learner) learn(ctx context.Context) error {
	book := l.Estimate.Book
	for {
		lessons, err := l.Store.LessonsAfter(ctx, book.Place(), lessonsRead)
		if err != nil {
			return err
		}
		for _, one := range lessons {
			var taught []eta.Lesson
			if err := json.Unmarshal(one.Data, &taught); err != nil {
				taught = nil // it counts as learned: nobody can read it
			}
			book.Learn(one.Place, one.OrderID, one.At, taught)
		}
		if place := book.Place(); place >= l.stored+snapshotAfter {
			if err := l.Store.KeepBook(ctx, place, book.Snapshot()); err != nil {
				return err
			}
			l.stored = place
		}
		if len(lessons) < lessonsRead {
			return nil
		}
	}
}

// workOut makes the lesson; that of an order which is gone is empty.
func (l *learner) workOut(ctx context.Context, ref domain.LessonRef) (domain.Lesson, error) {
	out := domain.Lesson{LessonRef: ref, At: domain.Timestamp(l.Clock.Now()), Data: []byte("[]")}
	o, err := l.Store.Order(ctx, ref.OrderID)
	switch {
	case domain.CodeOf(err) == domain.CodeOrderNotFound:
		return out, nil
	case err != nil:
		return out, err
	}
	taught := eta.Booked(o)
	if out.At = o.CreatedAt; ref.Ended {
		if taught, err = l.taught(ctx, o); err != nil {
			return out, err
		}
		out.At = domain.Or(o.DeliveredAt, o.UpdatedAt)
		if len(taught) > 0 { // otherwise the end is not to be trusted
			l.compare(o, &out)
		}
	}
	out.Data, err = json.Marshal(taught)
	return out, err
}

// taught reads what an ended order teaches, the courier's trail included.
func (l *learner) taught(ctx context.Context, o *domain.Order) ([]eta.Lesson, error) {
	history, err := l.Store.Events(ctx, o.ID, 0)
	if err != nil || o.CourierID == "" {
		return eta.Teach(o, history, nil, ""), err
	}
	var vehicle domain.Vehicle
	courier, err := l.Store.Courier(ctx, o.CourierID)
	switch {
	case err == nil:
		vehicle = courier.Vehicle
	case domain.CodeOf(err) != domain.CodeCourierNotFound:
		return nil, err
	}
	var trail []domain.Position
	if from := o.Bookkeeping.CustodyAt; from != nil && o.DeliveredAt != nil {
		if trail, err = l.Store.Trail(ctx, o.CourierID, *from, *o.DeliveredAt, trailTaken); err != nil {
			return nil, err
		}
	}
	return eta.Teach(o, history, domain.Line(trail), vehicle), nil
}

// compare notes how far off the first estimate of a delivered order was.
func (l *learner) compare(o *domain.Order, out *domain.Lesson) {
	out.MerchantID, out.Zone = o.MerchantID, eta.Zone(o.Dropoff.Location)
	if o.Shipment != nil {
		out.Carrier = o.Shipment.Carrier
	}
	first := o.Bookkeeping.First
	if o.Status != domain.StatusDelivered || o.DeliveredAt == nil || first == nil {
		return
	}
	out.Error = new(first.ETA.Sub(*o.DeliveredAt))
	out.Early, out.Late = o.DeliveredAt.Before(first.Earliest), o.DeliveredAt.After(first.Latest)
}

// look renews what metrics tell of the quality of estimates.
func (l *learner) look(ctx context.Context) {
	now := l.Clock.Now()
	if now.Sub(l.looked) < lookEvery {
		return
	}
	l.looked = now
	found := map[domain.ReportBy][]domain.EstimateGroup{}
	for _, by := range []domain.ReportBy{domain.ByAll, domain.ByCarrier, domain.ByMerchant, domain.ByZone} {
		groups, err := l.Store.EstimateReport(ctx, by, "", now.AddDate(0, 0, -lookDays), now, lookGroups)
		if err != nil {
			return
		}
		found[by] = groups
	}
	l.quality.Store(&found)
}

// Quality returns how well the first estimates of the last week held: of all orders, and of
// the worst groups; it is some minutes old at most.
func (s *Service) Quality() map[domain.ReportBy][]domain.EstimateGroup {
	return domain.Or(s.learner.quality.Load(), nil)
}
