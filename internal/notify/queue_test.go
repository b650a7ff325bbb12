package notify_test

import (
	"context"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/notify"
)

// slowStore takes its time: what a test does happens meanwhile.
type slowStore struct {
	domain.Store
	settling func()
	reading  func([]domain.Delivery)
}

func (s *slowStore) SettleDeliveries(ctx context.Context, tried []domain.Delivery) error {
	s.settling()
	return s.Store.SettleDeliveries(ctx, tried)
}

func (s *slowStore) DeliveryContents(ctx context.Context, of []domain.Delivery) ([]domain.DeliveryContent, error) {
	s.reading(of)
	return s.Store.DeliveryContents(ctx, of)
}

// fails reports whether a first try has failed.
func (r *rig) fails() { awaits(r.t, 1, func() int { return int(r.Failed()) }) }

func TestWebhookFailsWhileWhatItTookIsStored(t *testing.T) {
	storing := make(chan struct{})
	s := &slowStore{reading: func([]domain.Delivery) {}}
	r := newRig(t, func(d *notify.Deps) { s.Store, d.Store = d.Store, s })
	s.settling = sync.OnceFunc(func() {
		close(storing)
		r.fails()
	})
	calls := 0 // one after the other, of one order
	rc := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		if calls++; calls == 2 {
			<-storing
			w.WriteHeader(http.StatusInternalServerError)
		}
	})
	w := r.webhook(notify.NewWebhook{URL: rc.URL})
	o := r.order("")
	r.moves(o.ID, domain.StatusConfirmed, domain.StatusCancelled)
	r.runs()
	awaits(t, []string{"order.created sent 1 200", "order.status_changed waiting 1 500", "order.status_changed waiting 0 0"},
		func() []string { return r.log(w.ID) })
	require.Len(t, rc.got(), 2)
}

func TestTriesEndWithTheirLease(t *testing.T) {
	r := newRig(t, func(d *notify.Deps) { d.Config.Lease = 2100 * time.Millisecond }) // tries end two seconds before it
	var rc *receiver
	rc = newReceiver(t, func(_ http.ResponseWriter, req *http.Request) {
		if len(rc.got()) == 1 {
			<-req.Context().Done()
		}
	})
	w := r.webhook(notify.NewWebhook{URL: rc.URL})
	r.order("")
	r.runs()
	awaits(t, []string{"order.created sent 1 200"}, func() []string { return r.log(w.ID) }) // whoever sends it next counts the try
	got := rc.got()
	require.Greater(t, len(got), 1)
	require.Equal(t, got[0].header.Get("Webhook-Id"), got[1].header.Get("Webhook-Id"))
}

func TestWebhookFailsWhileTheNextOneIsRead(t *testing.T) {
	next := make(chan struct{})
	s := &slowStore{settling: func() {}}
	r := newRig(t, func(d *notify.Deps) { s.Store, d.Store = d.Store, s })
	reads := 0 // by the one queue, what is new
	s.reading = func(of []domain.Delivery) {
		if reads += len(of); reads == 2 && len(of) > 0 {
			close(next)
			r.fails()
		}
	}
	rc := newReceiver(t, func(w http.ResponseWriter, _ *http.Request) {
		<-next
		w.WriteHeader(http.StatusInternalServerError)
	})
	w := r.webhook(notify.NewWebhook{URL: rc.URL})
	o := r.order("")
	r.runs()
	awaits(t, 1, func() int { return len(rc.got()) })
	r.moves(o.ID, domain.StatusConfirmed)
	awaits(t, []string{"order.created waiting 1 500", "order.status_changed waiting 0 0"}, func() []string { return r.log(w.ID) })
	require.Len(t, rc.got(), 1)
}
