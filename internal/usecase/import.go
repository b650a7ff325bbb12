package usecase

import (
	"context"
	"iter"
	"runtime/debug"
	"sync"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
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
	// Report is told of every row in the order of the file; idle says that the next one
	// is not decided yet. An error ends the import.
	Report func(r Imported, idle bool) error
	// Stop is called when the import can't go on; it makes Rows end.
	Stop func()
}

// Import takes over couriers and orders. Rows are worked on side by side and reported
// in their order, each once; what is wrong with one does not stop the others. Rows that
// are there already are known when they are the same, and version_conflict or
// duplicate_external_id otherwise: so an import that broke off can be run again.
//
// It fails with forbidden, or with unavailable when the database is away for long; what
// was reported until then is done.
func (u *Orders) Import(ctx context.Context, in Import) error {
	by, err := u.staff(ctx)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	im := &importer{Orders: u, by: by, key: in.Key, busy: map[string]*importJob{}, exist: map[string]bool{}}
	pending := make(chan *importJob, importWindow)
	reported := make(chan error, 1)
	go func() {
		err := im.report(pending, in.Report)
		if err != nil {
			cancel()
			in.Stop()
			for job := range pending { // what was begun ends by itself
				<-job.done
			}
		}
		reported <- err
	}()
	readErr := im.read(ctx, in.Rows, pending)
	close(pending)
	if err := <-reported; err != nil {
		return err
	}
	return readErr
}

// staff says who acts, or forbidden to those who may not move all orders.
func (c *core) staff(ctx context.Context) (domain.By, error) {
	by, err := c.by(ctx)
	if err != nil {
		return by, err
	}
	switch by.Actor.Kind {
	case domain.RoleAdmin, domain.RoleDispatcher:
		return by, nil
	}
	return by, domain.Errorf(domain.CodeForbidden, "only administrators and dispatchers may import and export")
}

// importer is a running import. Its reader starts the jobs, and is alone in that.
type importer struct {
	*Orders
	by  domain.By
	key string

	mu    sync.Mutex
	busy  map[string]*importJob // by what must not be worked on twice at once
	exist map[string]bool       // couriers that were seen

	couriers sync.WaitGroup // courier rows under way
}

// importJob is a row under way.
type importJob struct {
	row  ImportRow
	out  Imported
	done chan struct{}
}

// read starts a job for each row.
func (im *importer) read(ctx context.Context, rows iter.Seq2[ImportRow, error], pending chan<- *importJob) error {
	for row, err := range rows {
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return err
		}
		job := &importJob{row: row, out: Imported{From: row.From, To: row.To, Err: row.Err}, done: make(chan struct{})}
		select {
		case pending <- job:
		case <-ctx.Done():
			return ctx.Err()
		}
		if row.Err != nil {
			close(job.done)
			continue
		}
		keys := im.claim(job)
		if row.Courier != nil {
			im.couriers.Add(1)
		} else {
			im.couriers.Wait() // an order may be in the hands of one of them
		}
		go im.work(ctx, job, keys)
	}
	return nil
}

// claim waits until no earlier row with the same names is under way, so that of two
// rows that collide it is always the later one which does.
func (im *importer) claim(job *importJob) (keys []string) {
	add := func(kind, name string) {
		if name != "" {
			keys = append(keys, kind+name)
		}
	}
	switch r := job.row; {
	case r.Courier != nil:
		add("courier ", r.Courier.ID)
	case r.Draft != nil && r.Draft.ExternalID != "":
		add("external ", r.Draft.MerchantID+"\x00"+r.Draft.ExternalID)
	case r.Order != nil:
		add("order ", r.Order.Order.ID)
		if o := &r.Order.Order; o.ExternalID != "" {
			add("external ", o.MerchantID+"\x00"+o.ExternalID)
		}
	}
	for _, k := range keys {
		im.mu.Lock()
		earlier := im.busy[k]
		im.mu.Unlock()
		if earlier != nil {
			<-earlier.done
		}
		im.mu.Lock()
		im.busy[k] = job
		im.mu.Unlock()
	}
	return keys
}

// work decides a row.
func (im *importer) work(ctx context.Context, job *importJob, keys []string) {
	defer func() {
		if v := recover(); v != nil {
			im.Log.Error("an imported row panicked", zap.Int64("line", job.row.From), zap.Any("panic", v), zap.ByteString("stack", debug.Stack()))
			job.out.Err = domain.Errorf(domain.CodeInternal, "the row failed unexpectedly")
		}
		im.mu.Lock()
		for _, k := range keys {
			if im.busy[k] == job {
				delete(im.busy, k)
			}
		}
		im.mu.Unlock()
		if job.row.Courier != nil {
			im.couriers.Done()
		}
		close(job.done)
	}()
	for pause, waited := 50*time.Millisecond, time.Duration(0); ; pause = min(2*pause, 2*time.Second) {
		job.out.Known, job.out.Err = im.take(ctx, job.row)
		code := domain.CodeOf(job.out.Err)
		// In progress is a row of an import that was cut a moment ago and is sent again.
		if code != domain.CodeUnavailable && code != domain.CodeIdempotencyRunning || waited > importPatience {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
			waited += pause
		}
	}
}

// report passes on the outcomes in the order of the rows.
func (im *importer) report(pending <-chan *importJob, tell func(Imported, bool) error) error {
	for job := range pending {
		<-job.done
		if domain.CodeOf(job.out.Err) == domain.CodeUnavailable {
			return job.out.Err // not the row's fault: it and what follows are to be sent again
		}
		if err := tell(job.out, len(pending) == 0); err != nil {
			return err
		}
	}
	return nil
}

func (im *importer) take(ctx context.Context, row ImportRow) (known bool, err error) {
	switch {
	case row.Courier != nil:
		return im.courier(ctx, *row.Courier)
	case row.Draft != nil:
		return im.draft(ctx, row)
	case row.Order != nil:
		return im.restore(ctx, row)
	}
	return false, domain.Errorf(domain.CodeInternal, "an empty row")
}

// nameless is the context of a row that can be told from others by its place only.
func (im *importer) nameless(ctx context.Context, row ImportRow) (context.Context, *Idempotent) {
	idem := &Idempotent{}
	if im.key != "" {
		idem.Key = requestHash("import", []any{im.key, row.From})
	}
	return WithIdempotency(ctx, idem), idem
}

func (im *importer) draft(ctx context.Context, row ImportRow) (known bool, err error) {
	if row.Draft.ExternalID == "" {
		ctx, idem := im.nameless(ctx, row)
		_, err := im.Create(ctx, *row.Draft)
		return idem.Replayed, err
	}
	_, err = im.Create(ctx, *row.Draft)
	if domain.CodeOf(err) != domain.CodeDuplicateExternalID {
		return false, err
	}
	stored, findErr := im.external(ctx, row.Draft.MerchantID, row.Draft.ExternalID)
	if findErr != nil || stored == nil {
		return false, firstError(findErr, err)
	}
	valid, invalid := row.Draft.Normalize(im.PhoneRegion)
	if invalid != nil {
		return false, invalid
	}
	valid.ReadyAt, valid.PromisedAt = stamped(valid.ReadyAt), stamped(valid.PromisedAt)
	if same, cmpErr := sameJSON(valid, stored.Draft()); cmpErr != nil || same {
		return same, cmpErr
	}
	return false, err
}

func (im *importer) restore(ctx context.Context, row ImportRow) (known bool, err error) {
	given := &row.Order.Order
	ch, err := row.Order.Restore(im.PhoneRegion, im.by)
	if err != nil {
		return false, err
	}
	if err := im.knowCourier(ctx, ch.Order.CourierID); err != nil {
		return false, err
	}
	idem := &Idempotent{}
	if given.ID == "" && given.ExternalID == "" {
		ctx, idem = im.nameless(ctx, row)
	}
	_, err = once(ctx, im.core, "import_order", row.Order, func(rec *domain.Idempotency) (*domain.Order, error) {
		if err := record(ch, rec, nil); err != nil {
			return nil, err
		}
		if err := sealRecord(ch); err != nil {
			return nil, err
		}
		return im.Store.CreateOrder(ctx, ch)
	})
	switch {
	case err == nil:
		im.lane.courierChanged(ch.Order.CourierID)
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
	im.mu.Lock()
	seen := im.exist[id]
	im.mu.Unlock()
	if seen {
		return nil
	}
	_, err := im.Store.Courier(ctx, id)
	if domain.CodeOf(err) == domain.CodeCourierNotFound {
		return domain.Invalid("/courier_id", string(domain.CodeCourierNotFound), "there is no such courier; import couriers first")
	}
	if err == nil {
		im.sawCourier(id)
	}
	return err
}

func (im *importer) sawCourier(id string) {
	im.mu.Lock()
	defer im.mu.Unlock()
	if len(im.exist) >= importCouriers {
		clear(im.exist)
	}
	im.exist[id] = true
}

func (im *importer) courier(ctx context.Context, given domain.Courier) (known bool, err error) {
	c, err := domain.RestoreCourier(given, im.PhoneRegion, im.by.Now)
	if err != nil {
		return false, inside("/courier", err)
	}
	stored, err := im.Store.Courier(ctx, c.ID)
	switch {
	case domain.CodeOf(err) == domain.CodeCourierNotFound:
		if err := im.Store.CreateCourier(ctx, c, nil); err != nil {
			return false, err
		}
		im.sawCourier(c.ID)
		im.lane.courierChanged(c.ID)
		return false, nil
	case err != nil:
		return false, err
	}
	im.sawCourier(c.ID)
	shown := *stored
	shown.ActiveOrders, shown.Position = 0, nil
	if same, err := sameJSON(c, &shown); err != nil || same {
		return same, err
	}
	return false, domain.Errorf(domain.CodeVersionConflict, "a courier with this id is there and differs")
}

// inside moves the pointers of faults below a member.
func inside(pointer string, err error) error {
	e, ok := err.(*domain.Error) //nolint:errorlint // the domain returns it as it is
	if !ok {
		return err
	}
	moved := *e
	moved.Faults = make([]domain.Fault, len(e.Faults))
	for i, f := range e.Faults {
		f.Pointer = pointer + f.Pointer
		moved.Faults[i] = f
	}
	return &moved
}
