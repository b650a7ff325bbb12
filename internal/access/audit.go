package access

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"maps"
	"time"

	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/background"
	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/paging"
)

const (
	// sealEvery is how often new entries are sealed.
	sealEvery = time.Minute
	// sealBatch is the maximum number of entries in a seal.
	sealBatch = 1000
)

// Audit is the log of changes to access, settings and personal data. Entries are sealed in batches by a hash chain whose
// head is logged, so Verify detects later edits and deletions.
type Audit struct {
	Store domain.AccessStore
	Clock domain.Clock
	Log   *zap.Logger
	// Secret keys the hashes of addresses.
	Secret []byte
}

type remoteKey struct{}

// WithRemote stores the caller's network address in the context.
func WithRemote(ctx context.Context, address string) context.Context {
	return context.WithValue(ctx, remoteKey{}, address)
}

// Entry returns an audit entry for the caller's action.
func (a *Audit) Entry(ctx context.Context, action, object string, data map[string]string) (*domain.AuditEntry, error) {
	c, err := domain.CallerFrom(ctx)
	if err != nil {
		return nil, err
	}
	maps.DeleteFunc(data, func(_, v string) bool { return v == "" })
	e := &domain.AuditEntry{At: domain.Timestamp(a.Clock.Now()), Actor: c.Actor, Action: action, Object: object, Data: data}
	if remote, _ := ctx.Value(remoteKey{}).(string); remote != "" {
		e.Remote = a.Mark(remote)
	}
	return e, nil
}

// Mark returns a keyed hash of a personal value: equal values give equal marks, and without
// the installation's key a mark reveals nothing.
func (a *Audit) Mark(personal string) string {
	h := hmac.New(sha256.New, a.Secret)
	h.Write([]byte("audit\x00" + personal))
	return hex.EncodeToString(h.Sum(nil)[:12])
}

// List returns a page of entries, newest first, and the token of the next one.
func (a *Audit) List(ctx context.Context, f domain.AuditFilter, p paging.Request) ([]domain.AuditEntry, string, error) {
	var faults domain.Faults
	faults.Text("/actor", f.ActorID, domain.MaxKey)
	faults.Text("/object", f.Object, domain.MaxKey+domain.MaxName)
	if err := faults.Err(); err != nil {
		return nil, "", err
	}
	return paging.Page(ctx, p, "audit", f, false, func(ctx context.Context, f domain.AuditFilter, p domain.Page) ([]domain.AuditEntry, *domain.Cursor, error) {
		before := p.After.Position
		found, err := a.Store.AuditEntries(ctx, f, before, p.Size+1)
		if err != nil || len(found) <= p.Size {
			return found, nil, err
		}
		last := found[p.Size-1]
		return found[:p.Size], &domain.Cursor{CreatedAt: last.At, ID: domain.NewID(), Position: last.Position}, nil
	})
}

// Run seals new entries until the context ends.
func (a *Audit) Run(ctx context.Context) {
	background.Loop(ctx, nil, 0, func() time.Duration {
		if err := a.Seal(ctx); err != nil && ctx.Err() == nil {
			a.Log.Warn("cannot seal the audit log; retrying in a minute", zap.Error(err))
		}
		return sealEvery
	})
}

// Seal seals all unsealed entries. Any replica may call it.
func (a *Audit) Seal(ctx context.Context) error {
	last, err := a.lastSeal(ctx)
	if err != nil {
		return err
	}
	for {
		entries, err := a.Store.AuditAfter(ctx, last.LastPosition, sealBatch)
		if err != nil || len(entries) == 0 {
			return err
		}
		next := domain.AuditSeal{
			Number: last.Number + 1, LastPosition: entries[len(entries)-1].Position, Hash: sealOf(last.Hash, entries),
			SealedAt: domain.Timestamp(a.Clock.Now()),
		}
		if ours, err := a.Store.SealAudit(ctx, next); err != nil || !ours {
			return err // another replica is sealing
		}
		a.Log.Info("audit log sealed", zap.Int64("seal", next.Number), zap.Int64("position", next.LastPosition),
			zap.String("hash", hex.EncodeToString(next.Hash)))
		last = next
	}
}

func (a *Audit) lastSeal(ctx context.Context) (last domain.AuditSeal, err error) {
	for {
		seals, err := a.Store.AuditSeals(ctx, last.Number, sealBatch)
		if err != nil || len(seals) == 0 {
			return last, err
		}
		last = seals[len(seals)-1]
	}
}

// sealOf hashes the previous seal and the entries.
func sealOf(before []byte, entries []domain.AuditEntry) []byte {
	h := sha256.New()
	h.Write(before)
	for _, e := range entries {
		b, err := json.Marshal(e)
		if err != nil { // texts and numbers always encode
			panic(err)
		}
		h.Write(b)
		h.Write([]byte{'\n'})
	}
	return h.Sum(nil)
}

// Verified is the result of Verify.
type Verified struct {
	Entries  int64  `json:"entries"`
	Seals    int64  `json:"seals"`
	Unsealed int64  `json:"unsealed"`       // entries after the last seal
	Head     string `json:"head,omitempty"` // the last seal's hash, also in the server log
}

// Verify reads the whole audit log and fails at the first entry that is missing or differs from what was sealed.
func (a *Audit) Verify(ctx context.Context) (v Verified, err error) {
	var before domain.AuditSeal
	for {
		seals, err := a.Store.AuditSeals(ctx, before.Number, sealBatch)
		if err != nil {
			return v, err
		}
		for _, s := range seals {
			if err := a.verifySeal(ctx, before, s); err != nil {
				return v, err
			}
			before = s
			v.Seals, v.Entries, v.Head = s.Number, s.LastPosition, hex.EncodeToString(s.Hash)
		}
		if len(seals) == 0 {
			break
		}
	}
	for {
		rest, err := a.Store.AuditAfter(ctx, v.Entries, sealBatch)
		if err != nil || len(rest) == 0 {
			return v, err
		}
		for _, e := range rest {
			if v.Entries++; e.Position != v.Entries {
				return v, domain.Errorf(domain.CodeInternal, "audit entry %d is missing", v.Entries)
			}
			v.Unsealed++
		}
	}
}

func (a *Audit) verifySeal(ctx context.Context, before, s domain.AuditSeal) error {
	n := int(s.LastPosition - before.LastPosition)
	if s.Number != before.Number+1 || n < 1 || n > sealBatch {
		return domain.Errorf(domain.CodeInternal, "audit seal %d does not follow seal %d", s.Number, before.Number)
	}
	entries, err := a.Store.AuditAfter(ctx, before.LastPosition, n)
	if err != nil {
		return err
	}
	if len(entries) != n || !bytes.Equal(sealOf(before.Hash, entries), s.Hash) {
		return domain.Errorf(domain.CodeInternal, "audit entries %d to %d are not as they were sealed", before.LastPosition+1, s.LastPosition)
	}
	return nil
}
