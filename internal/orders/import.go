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
	// importWindow is the number of rows processed concurrently: a few commit groups.
	importWindow = 256
	// importPatience is how long a row waits for an unavailable database before the import is aborted.
	importPatience = 15 * time.Second
	// importCouriers bounds the cache of known couriers.
	importCouriers = 100_000
)

// ImportRow is one row of an import: a courier, a new order or an order from another system.
type ImportRow struct {
	// From and To are its lines in the file, counted from 1.
	From, To int64
	// Err is a format error; such a row is only reported.
	Err     error
	Courier *domain.Courier
	Draft   *domain.Draft
	Order   *domain.Restored
}

// Imported is the result of a row.
type Imported struct {
	From, To int64
	// Known is set when an identical row was stored already.
	Known bool
	Err   error
}

// Import is a file to import.
type Import struct {
	// Key, when not empty, makes rows without an id and external_id idempotent, however often the same file is sent with it.
	Key string
	// Rows yields the rows; an error ends them.
	Rows iter.Seq2[ImportRow, error]
	// Report is called for every row in file order; idle is set when the result of the
	// next row is not ready yet. An error ends the import.
	Report func(r Imported, idle bool) error
}

// Import imports couriers and orders. Rows are processed concurrently and reported in order, each once; errors of one row do
// not stop the others. Existing rows are reported as known when they are identical, and as version_conflict or
// duplicate_external_id otherwise: so an interrupted import can be run again.
//
// It fails with forbidden, or with unavailable when the database is down for long; rows reported until then are done.
func (s *Service) Import(ctx context.Context, in Import) error {
	caller, by, err := s.mayTransfer(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	im := &importer{Service: s, caller: caller, by: by, key: in.Key, exist: otter.Must(&otter.Options[string, bool]{MaximumSize: importCouriers})}
	pending := make(chan *importJob, importWindow)
	reported := make(chan error, 1)
	go func() {
		var err error
		for job := range pending {
			<-job.done // started rows finish by themselves
			if err != nil {
				continue
			}
			// An unavailable database is not the row's fault: this row and the rest must be sent again.
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

// mayTransfer returns the caller of an import or export, or forbidden.
func (s *Service) mayTransfer(ctx context.Context) (*domain.Caller, domain.By, error) {
	caller, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, domain.By{}, err
	}
	by, err := s.by(ctx)
	switch caller.Kind {
	case domain.RoleAdmin, domain.RoleDispatcher, domain.RoleMerchant:
		return caller, by, err
	}
	return nil, by, domain.Errorf(domain.CodeForbidden, "only administrators, dispatchers and merchants may import and export")
}

// CourierChanged announces that a courier, its orders or its route changed.
func (s *Service) CourierChanged(id string) {
	for _, a := range s.audience {
		a.CourierChanged(id)
	}
}

// importer is a running import. Only its reader starts jobs.
type importer struct {
	*Service
	caller *domain.Caller
	by     domain.By
	key    string

	exist            *otter.Cache[string, bool] // couriers known to exist
	couriers, orders sync.WaitGroup             // rows in progress
}

// importJob is a row in progress.
type importJob struct {
	row   ImportRow
	out   Imported
	after []*importJob // earlier rows that share an identifier with it
	done  chan struct{}
}

// read starts a job for each row.
func (im *importer) read(ctx context.Context, rows iter.Seq2[ImportRow, error], pending chan<- *importJob) error {
	latest := map[string]*importJob{} // by their identifiers
	for row, err := range rows {
		if err := cmp.Or(err, ctx.Err()); err != nil {
			return err
		}
		if row.Err == nil {
			row.Err = row.own(im.caller)
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
		// An order may refer to its courier: only to one above it in the file.
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

// over reports whether the row needs no more work.
func (j *importJob) over() bool {
	select {
	case <-j.done:
		return true
	default:
		return false
	}
}

// own gives the row to the caller's merchant, or rejects what is not the merchant's to import. Staff import everything.
func (r *ImportRow) own(c *domain.Caller) error {
	switch {
	case c.Staff():
		return nil
	case r.Courier != nil:
		return domain.Invalid("/courier", "not_yours", "only administrators and dispatchers import couriers")
	case r.Draft != nil:
		return c.Own(r.Draft)
	}
	o := &r.Order.Order
	d := domain.Draft{MerchantID: o.MerchantID}
	var f domain.Faults
	f.Include("", c.Own(&d))
	if o.CourierID != "" && o.Active() {
		f.Add("/courier_id", "not_yours", "must be absent while the order is active: only administrators and dispatchers assign")
	}
	o.MerchantID = d.MerchantID
	return f.Err()
}

// names are the identifiers that must not be processed concurrently.
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

// work processes a row after the earlier ones with the same identifiers: of two
// conflicting rows it is always the later one that fails.
func (im *importer) work(ctx context.Context, job *importJob) {
	defer close(job.done)
	defer func() {
		if v := recover(); v != nil {
			im.Log.Error("panic while importing a row", zap.Int64("line", job.row.From), zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
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
		// In progress means that the row of a just interrupted import was sent again.
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

// keyed assigns a key to a row that only its line distinguishes from others.
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
		im.CourierChanged(ch.Order.CourierID)
		return idem.Replayed, nil
	case domain.CodeOf(err) == domain.CodeDuplicateExternalID:
		return im.compare(ctx, row, ch, err)
	}
	return false, err
}

// knowCourier rejects an order whose courier does not exist.
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
		im.CourierChanged(c.ID)
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
