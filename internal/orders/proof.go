package orders

import (
	"cmp"
	"context"
	"crypto/subtle"
	"slices"
	"time"

	"github.com/google/uuid"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/idempotency"
)

// So many wrong PINs in a row lock it for a while.
const (
	pinTries  = 5
	pinLocked = 15 * time.Minute
)

// ProofReport hands in a proof of an order's delivery.
type ProofReport struct {
	domain.Proof
	OccurredAt *time.Time `json:"occurred_at,omitempty" doc:"when it happened; default now; at most 5 minutes in the future"`
}

// CheckProof checks the input of AddProof.
func (s *Service) CheckProof(in ProofReport) error {
	var f domain.Faults
	f.Check("", &in)
	if !in.Stored() && in.Recipient == "" && in.Note == "" {
		f.Add("", "required", "needs photo, signature, pin, recipient or note")
	}
	if in.Code+in.PhotoURL+in.SignatureURL != "" {
		f.Add("", "unknown_field", "code, photo_url and signature_url come with a change of the status only")
	}
	return f.Err()
}

// AddProof stores a proof of an order's delivery; one with the id of an earlier one returns
// that. It fails with validation_failed, pin_locked, order_finished or order_not_found.
func (s *Service) AddProof(ctx context.Context, id string, in ProofReport) (out domain.ProofRecord, err error) {
	return Once(ctx, s, id, "add_proof", in, s.CheckProof(in), func(by domain.By, known *domain.Order, rec *domain.Idempotency) (out domain.ProofRecord, err error) {
		by = StatusChange{OccurredAt: in.OccurredAt}.by(by)
		in.ID = cmp.Or(in.ID, domain.NewID())
		p, err := s.prepare(ctx, known, &in.Proof, "")
		if err != nil {
			return out, err
		}
		_, err = s.Update(ctx, known.ID, "", rec, func(ch *domain.Change) error {
			if err := p.addTo(ch, by); err != nil {
				return err
			}
			out = *ch.Order.Proof(p.proof.ID)
			return idempotency.Answer(rec, out)
		})
		return out, err
	})
}

// preparedProof is a checked proof with its images, to be added to a change; the zero value adds nothing.
type preparedProof struct {
	proof  *domain.Proof // as the event of the status change shows it
	record *domain.ProofRecord
	images []domain.Image
}

// prepare checks a proof and cleans its images. at is where it is in the request.
func (s *Service) prepare(ctx context.Context, o *domain.Order, in *domain.Proof, at string) (out preparedProof, err error) {
	if in == nil {
		return out, nil
	}
	p := *in
	if o.NeedsPIN() {
		p.PIN, p.Code = cmp.Or(p.PIN, p.Code), ""
	}
	var f domain.Faults
	f.Check(at, &p)
	if out.proof = &p; !p.Stored() {
		return out, f.Err()
	}
	p.ID = cmp.Or(p.ID, domain.NewID())
	if f.ID(at+"/id", &p.ID); f.Err() != nil {
		return out, f.Err()
	}
	out.record = &domain.ProofRecord{ID: p.ID, Kinds: []string{}, Recipient: p.Recipient, Note: p.Note}
	if o.Proof(p.ID) != nil { // its PIN need not be right any more
		return out, nil
	}
	url := "/order/" + o.ID + "/proof/" + p.ID + "/"
	if out.image(ctx, s, &f, o, at, domain.ProofPhoto, p.Photo) {
		out.record.PhotoURL = url + domain.ProofPhoto
	}
	if out.image(ctx, s, &f, o, at, domain.ProofSignature, p.Signature) {
		out.record.SignatureURL = url + domain.ProofSignature
	}
	if err = f.Err(); err == nil && p.PIN != "" {
		err = s.checkPIN(ctx, o, p.PIN, at+"/pin")
		out.record.Kinds = append(out.record.Kinds, domain.ProofPIN)
	}
	out.record.Offline = p.Offline && p.PIN == "" && len(p.Photo) > 0 && o.NeedsPIN() && s.PhotoForPIN
	return out, err
}

// image adds a clean image of a kind, and reports whether there is one.
func (h *preparedProof) image(ctx context.Context, s *Service, f *domain.Faults, o *domain.Order, at, kind string, data []byte) bool {
	clean := picture(ctx, f, at+"/"+kind, data)
	if clean == nil {
		return false
	}
	h.record.Kinds = append(h.record.Kinds, kind)
	h.images = append(h.images, domain.Image{
		OrderID: o.ID, OwnerID: h.record.ID, Kind: kind, Data: clean, CreatedAt: s.Clock.Now(),
	})
	return true
}

func (h *preparedProof) addTo(ch *domain.Change, by domain.By) error {
	if h.record == nil {
		return nil
	}
	events, err := ch.Order.AddProof(*h.record, by)
	if len(events) > 0 {
		ch.Images = h.images
	}
	ch.Add(events...)
	return err
}

// checkPIN compares a PIN in constant time, and counts wrong ones in the
// database, for all replicas. One that locks it alerts the dispatchers.
func (s *Service) checkPIN(ctx context.Context, o *domain.Order, pin, pointer string) error {
	if !o.NeedsPIN() {
		return domain.Invalid(pointer, "no_pin", "the order has no PIN")
	}
	right := subtle.ConstantTimeCompare([]byte(pin), []byte(s.PIN(o.ID))) == 1
	now := domain.Timestamp(s.Clock.Now())
	locked, err := s.Store.TryPIN(ctx, o.ID, right, pinTries, now, now.Add(pinLocked))
	switch {
	case err != nil:
		return err
	case !locked.IsZero():
		s.alert(ctx, o, locked)
		e := domain.Errorf(domain.CodePINLocked, "there were %d wrong PINs; the next try counts from %s on", pinTries, locked.Format(time.RFC3339))
		e.RetryAfter = locked.Sub(now)
		return e
	case !right:
		return domain.Invalid(pointer, "wrong_pin", "is not the PIN that the customer has; %d wrong ones lock it for %d minutes", pinTries, pinLocked/time.Minute)
	}
	return nil
}

// alert opens an incident, one each time that a PIN is locked. If that fails, the next try while it is locked does it.
func (s *Service) alert(ctx context.Context, o *domain.Order, locked time.Time) {
	id := uuid.NewSHA1(uuid.MustParse(o.ID), []byte(locked.Format(time.RFC3339Nano))).String()
	if o.Incident(id) != nil {
		return
	}
	_, err := s.Change(ctx, o.ID, "", 0, nil, func(o *domain.Order) ([]domain.Event, error) {
		return o.AddIncident(domain.Incident{ID: id, Code: domain.CodePINTries, CourierID: o.CourierID}, s.System("proof"))
	})
	if err != nil {
		s.Log.Warn("a locked PIN was not reported to dispatchers", zap.String("order_id", o.ID), zap.Error(err))
	}
}

// Proofs returns the order's proofs, oldest first, as far as the caller may see them.
func (s *Service) Proofs(ctx context.Context, id string) ([]domain.ProofRecord, error) {
	caller, o, err := s.Reach(ctx, id)
	if err != nil {
		return nil, err
	}
	return domain.Each(o.Bookkeeping.Proofs, func(p domain.ProofRecord) domain.ProofRecord { return p.For(caller.View()) }), nil
}

// ProofImage returns an image of a proof, a JPEG: photo or signature; or not_found.
func (s *Service) ProofImage(ctx context.Context, id, proofID, kind string) ([]byte, error) {
	_, o, err := s.Reach(ctx, id)
	if err != nil {
		return nil, err
	}
	p := o.Proof(proofID)
	return s.imageOf(ctx, o, proofID, kind, p != nil && slices.Contains(p.Kinds, kind))
}

func (s *Service) imageOf(ctx context.Context, o *domain.Order, owner, kind string, there bool) (data []byte, err error) {
	if there {
		data, err = s.Store.Image(ctx, o.ID, owner, kind)
	}
	if err == nil && data == nil {
		err = domain.Errorf(domain.CodeNotFound, "there is no such image")
	}
	return data, err
}
