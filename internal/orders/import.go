package orders

import (
	"cmp"
	"context"
	"iter"
	"maps"
	"runtime/debug"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

const (
	// importWindow is how many rows are under way at once: some groups of commits.
	importWindow = 256
	// importPatience is how long a row waits for a database that is away before the
	// import is given up.
	importPatience = 15 * time.Second
	// importCouriers bounds how many couriers are remembered as existing.
	importCouriers = 100_000
)

// ImportRow is one row of an import: a courier, a new order or an order from elsewhere.
type ImportRow struct {
	// From and To are the lines of the file that it takes, counted from 1.
	From, To int64
	// Err is what is wrong with its form; such a row is reported and nothing else.
	Err     error
	Courier *domain.Courier
	Draft   *domain.Draft
	Order   *domain.Restored
}

// Imported is what became of a row.
type Imported struct {
	From, To int64
	// Known says that it was there already, and the same.
	Known bool
	Err   error
}

// Import is a file that is taken over.
type Import struct {
	// Key, when not empty, makes rows without an id and external_id come once, however
	// often the same file is sent under it.
	Key string
	// Rows yields the rows; an error is the last thing that it yields.
	Rows iter.Seq2[ImportRow, error]
	// Report is called for every row in the order of the file; idle says that the next one
	// is not decided yet. An error ends the import.
	Report func(r Imported, idle bool) error
}

// Import takes over couriers and orders. Rows are worked on side by side and reported
// in their order, each once; what is wrong with one does not stop the others. Rows that
// are there already are known when they are the same, and version_conflict or
// duplicate_external_id otherwise: so an import that broke off can be run again.
//
// It fails with forbidden, or with unavailable when the database is away for long; what
// was reported until then is done.
func (s *Service) Import(ctx context.Context, in Import) error {
	by, err := s.staff(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	im := &importer{Service: s, by: by, key: in.Key, exist: otter.Must(&otter.Options[string, bool]{MaximumSize: importCouriers})}
	pending := make(chan *importJob, importWindow)
	reported := make(chan error, 1)
	go func() {
		var err error
		for job := range pending {
			<-job.done // what was begun ends by itself
			if err != nil {
				continue
			}
			// A database that is away is not the row's fault: it and what follows are to be sent again.
			if err = job.out.Err; domain.CodeOf(err) != domain.CodeUnavailable {
				err = in.Report(job.out, len(pending) == 0)
			}
			if err != nil {
				cancel()
			}
		}
		reported <- err
	}()
	readErr := im.read(ctx, in.Rows, pending)
	close(pending)
	return cmp.Or(<-reported, readErr)
}

// staff says who acts, or forbidden to those who may not move all orders.
func (s *Service) staff(ctx context.Context) (domain.By, error) {
	by, err := s.by(ctx)
	if err != nil {
		return by, err
	}
	switch by.Actor.Kind {
	case domain.RoleAdmin, domain.RoleDispatcher:
		return by, nil
	}
	return by, domain.Errorf(domain.CodeForbidden, "only administrators and dispatchers may import and export")
}

// courierChanged announces that a courier, or what it has in hand, is not as it was read.
func (s *Service) courierChanged(id string) {
	for _, a := range s.audience {
		a.CourierChanged(id)
	}
}

// importer is a running import. Its reader starts the jobs, and is alone in that.
type importer struct {
	*Service
	by  domain.By
	key string

	exist            *otter.Cache[string, bool] // couriers that were seen
	couriers, orders sync.WaitGroup             // rows under way
}

// importJob is a row under way.
type importJob struct {
	row   ImportRow
	out   Imported
	after []*importJob // earlier rows that share a name with it
	done  chan struct{}
}

// read starts a job for each row.
func (im *importer) read(ctx context.Context, rows iter.Seq2[ImportRow, error], pending chan<- *importJob) error {
	latest := map[string]*importJob{} // by their names
	for row, err := range rows {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		job := &importJob{row: row, out: Imported{From: row.From, To: row.To, Err: row.Err}, done: make(chan struct{})}
		select {
		case pending <- job:
		case <-ctx.Done():
			return ctx.Err()
		}
		if len(latest) > 4*importWindow {
			maps.DeleteFunc(latest, func(_ string, earlier *importJob) bool { return earlier.over() })
		}
		for _, name := range row.names() {
			if earlier := latest[name]; earlier != nil && !earlier.over() {
				job.after = append(job.after, earlier)
			}
			latest[name] = job
		}
		switch {
		case row.Err != nil:
			close(job.done)
		// An order may be in the hands of a courier: of one that is above it, and of no other.
		case row.Courier != nil:
			im.orders.Wait()
			im.couriers.Go(func() { im.work(ctx, job) })
		default:
			im.couriers.Wait()
			im.orders.Go(func() { im.work(ctx, job) })
		}
	}
	return nil
}

// over says whether nothing is done about the row any more.
func (j *importJob) over() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// names are what must not be worked on twice at once.
func (r *ImportRow) names() (names []string) {
	merchant, external := "", ""
	switch {
	case r.Courier != nil:
		names = append(names, "courier "+r.Courier.ID)
	case r.Draft != nil:
		merchant, external = r.Draft.MerchantID, r.Draft.ExternalID
	case r.Order != nil:
		merchant, external = r.Order.Order.MerchantID, r.Order.Order.ExternalID
		if id := r.Order.Order.ID; id != "" {
			names = append(names, "order "+id)
		}
	}
	if external != "" {
		names = append(names, "external "+merchant+"\x00"+external)
	}
	return names
}

// work decides a row, once earlier ones of the same names are decided: of two that collide
// it is always the later one which does.
func (im *importer) work(ctx context.Context, job *importJob) {
	defer close(job.done)
	defer func() {
		if v := recover(); v != nil {
			im.Log.Error("an imported row panicked", zap.Int64("line", job.row.From), zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
			job.out.Err = domain.Errorf(domain.CodeInternal, "the row failed unexpectedly")
		}
	}()
	for _, earlier := range job.after {
		<-earlier.done
	}
	job.after = nil
	for pause, waited := 50*time.Millisecond, time.Duration(0); ; pause = min(2*pause, 2*time.Second) {
		job.out.Known, job.out.Err = im.take(ctx, job.row)
		code := domain.CodeOf(job.out.Err)
		// In progress is a row of an import that was cut a moment ago and is sent again.
		if code != domain.CodeUnavailable && code != domain.CodeIdempotencyRunning || waited > importPatience || !background.Sleep(ctx, pause) {
			return
		}
		waited += pause
	}
}

func (im *importer) take(ctx context.Context, row ImportRow) (known bool, err error) {
	switch {
	case row.Courier != nil:
		return im.courier(ctx, *row.Courier)
	case row.Draft != nil:
		return im.draft(ctx, row)
	}
	return im.restore(ctx, row)
}

// keyed gives a key to a row that only its line distinguishes from others.
func (im *importer) keyed(ctx context.Context, row ImportRow) (context.Context, *idempotency.Request) {
	idem := &idempotency.Request{}
	if im.key != "" && len(row.names()) == 0 {
		idem.Key = idempotency.Hash("import", []any{im.key, row.From})
	}
	return idempotency.With(ctx, idem), idem
}

func (im *importer) draft(ctx context.Context, row ImportRow) (known bool, err error) {
	ctx, idem := im.keyed(ctx, row)
	_, err = im.Create(ctx, *row.Draft)
	if domain.CodeOf(err) != domain.CodeDuplicateExternalID {
		return idem.Replayed, err
	}
	stored, findErr := im.external(ctx, row.Draft.MerchantID, row.Draft.ExternalID)
	if findErr != nil || stored == nil {
		return false, cmp.Or(findErr, err)
	}
	valid, invalid := row.Draft.Normalize(im.PhoneRegion)
	if invalid != nil {
		return false, invalid
	}
	if same, cmpErr := sameJSON(valid, stored.Draft()); cmpErr != nil || same {
		return same, cmpErr
	}
	return false, err
}

func (im *importer) restore(ctx context.Context, row ImportRow) (known bool, err error) {
	ch, err := row.Order.Restore(im.PhoneRegion, im.by)
	if err != nil {
		return false, err
	}
	if err := im.knowCourier(ctx, ch.Order.CourierID); err != nil {
		return false, err
	}
	ctx, idem := im.keyed(ctx, row)
	_, err = idempotency.Once(ctx, im.Keys, "import_order", row.Order, func(rec *domain.Idempotency) (*domain.Order, error) {
		if err := idempotency.Record(ch, rec); err != nil {
			return nil, err
		}
		return im.Store.CreateOrder(ctx, ch)
	})
	switch {
	case err == nil:
		im.courierChanged(ch.Order.CourierID)
		return idem.Replayed, nil
	case domain.CodeOf(err) == domain.CodeDuplicateExternalID:
		return im.compare(ctx, row, ch, err)
	}
	return false, err
}

// knowCourier refuses an order whose courier does not exist.
func (im *importer) knowCourier(ctx context.Context, id string) error {
	if id == "" {
		return nil
	}
	_, err := im.exist.Get(ctx, id, otter.LoaderFunc[string, bool](func(ctx context.Context, id string) (bool, error) {
		_, err := im.Store.Courier(ctx, id)
		return true, err
	}))
	if domain.CodeOf(err) == domain.CodeCourierNotFound {
		return domain.Invalid("/courier_id", string(domain.CodeCourierNotFound), "there is no such courier; import couriers first")
	}
	return err
}

func (im *importer) courier(ctx context.Context, given domain.Courier) (known bool, err error) {
	c, err := domain.RestoreCourier(given, im.PhoneRegion, im.by.Now)
	if err != nil {
		var f domain.Faults
		f.Include("/courier", err)
		return false, f.Err()
	}
	stored, err := im.Store.Courier(ctx, c.ID)
	switch {
	case domain.CodeOf(err) == domain.CodeCourierNotFound:
		err := im.Store.CreateCourier(ctx, c, nil)
		im.courierChanged(c.ID)
		return false, err
	case err != nil:
		return false, err
	}
	shown := *stored
	shown.ActiveOrders, shown.Position = 0, nil
	if same, err := sameJSON(c, &shown); err != nil || same {
		return same, err
	}
	return false, domain.Errorf(domain.CodeVersionConflict, "a different courier with this id exists")
}
