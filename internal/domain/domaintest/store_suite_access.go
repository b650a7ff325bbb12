package domaintest

import (
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func credential(kind domain.CredentialKind, secret string, at time.Time) domain.Credential {
	c := domain.Credential{
		ID: domain.NewID(), Kind: kind, Hash: domain.HashToken(secret), Prefix: "ot_mer_12", Name: "Лавка",
		Role: domain.RoleMerchant, MerchantID: "m1", CreatedAt: at,
	}
	return c
}

func (s storeSuite) keep(t *testing.T, c domain.Credential) domain.Credential {
	t.Helper()
	require.NoError(t, s.ChangeAccess(t.Context(), domain.AccessChange{Keep: &c}))
	return c
}

func (s storeSuite) epoch(t *testing.T) int64 {
	t.Helper()
	n, err := s.AccessEpoch(t.Context())
	require.NoError(t, err)
	return n
}

func document(version int64, text string) *domain.Document {
	return &domain.Document{
		Kind: domain.DocumentMerchant, ID: "m1", Version: version, Data: []byte(`{"name":"` + text + `"}`),
		UpdatedAt: start, Trail: domain.Trail{ChangedBy: domain.Actor{Kind: domain.RoleAdmin, ID: "a"}},
	}
}

var accessTests = map[string]func(*testing.T, storeSuite){
	"a credential is found by its hash and its id, after a restart too": func(t *testing.T, s storeSuite) {
		expires := start.Add(time.Hour)
		want := credential(domain.CredentialLink, "secret", start)
		want.ExpiresAt, want.OrderID, want.ParentID = &expires, domain.NewID(), domain.NewID()
		s.keep(t, want)
		s.Store = s.backend.Reopen(t, s.Store)
		for _, read := range []func() (*domain.Credential, error){
			func() (*domain.Credential, error) { return s.CredentialByHash(t.Context(), want.Hash) },
			func() (*domain.Credential, error) { return s.Credential(t.Context(), want.ID) },
		} {
			got, err := read()
			require.NoError(t, err)
			require.Equal(t, &want, got)
		}
		got, err := s.CredentialByHash(t.Context(), domain.HashToken("other"))
		require.NoError(t, err)
		require.Nil(t, got)
	},
	"a new credential takes nothing away; one that is dropped or expires does, and a document": func(t *testing.T, s storeSuite) {
		was := s.epoch(t)
		c := s.keep(t, credential(domain.CredentialKey, "k", start))
		require.Equal(t, was, s.epoch(t))
		for i, change := range []domain.AccessChange{
			{Expire: c.ID, ExpireAt: start}, {Drop: c.ID}, {Document: document(1, "a")},
		} {
			require.NoError(t, s.ChangeAccess(t.Context(), change))
			require.Equal(t, was+1+int64(i), s.epoch(t))
		}
	},
	"sessions end with the credential that opened them": func(t *testing.T, s storeSuite) {
		parent := s.keep(t, credential(domain.CredentialKey, "k", start))
		session := credential(domain.CredentialSession, "s", start)
		session.ParentID = parent.ID
		s.keep(t, session)
		other := s.keep(t, credential(domain.CredentialKey, "other", start))
		require.NoError(t, s.ChangeAccess(t.Context(), domain.AccessChange{Expire: parent.ID, ExpireAt: start.Add(time.Hour)}))
		require.NoError(t, s.ChangeAccess(t.Context(), domain.AccessChange{Expire: parent.ID, ExpireAt: start.Add(2 * time.Hour)}))
		known, err := s.KnownCredentials(t.Context(), []string{parent.ID, session.ID, other.ID, domain.NewID()})
		require.NoError(t, err)
		end := start.Add(time.Hour)
		require.Equal(t, map[string]*time.Time{parent.ID: &end, session.ID: &end, other.ID: nil}, known, "an end is not put off")
		require.NoError(t, s.ChangeAccess(t.Context(), domain.AccessChange{Drop: parent.ID}))
		known, err = s.KnownCredentials(t.Context(), []string{parent.ID, session.ID, other.ID})
		require.NoError(t, err)
		require.Equal(t, map[string]*time.Time{other.ID: nil}, known)
	},
	"what is not there can't be ended, and nothing else happens": func(t *testing.T, s storeSuite) {
		fresh := credential(domain.CredentialKey, "k", start)
		for _, change := range []domain.AccessChange{
			{Keep: &fresh, Drop: domain.NewID()}, {Keep: &fresh, Expire: domain.NewID(), ExpireAt: start},
		} {
			requireCode(t, domain.CodeNotFound, s.ChangeAccess(t.Context(), change))
		}
		got, err := s.Credential(t.Context(), fresh.ID)
		require.NoError(t, err)
		require.Nil(t, got)
	},
	"a request with an idempotency key changes something once": func(t *testing.T, s storeSuite) {
		c := credential(domain.CredentialKey, "k", start)
		require.NoError(t, s.ChangeAccess(t.Context(), domain.AccessChange{Keep: &c, Idempotency: key("admin:a", "1")}))
		again := credential(domain.CredentialKey, "again", start)
		err := s.ChangeAccess(t.Context(), domain.AccessChange{Keep: &again, Idempotency: key("admin:a", "1")})
		require.ErrorIs(t, err, domain.ErrRecorded)
		got, err := s.Credential(t.Context(), again.ID)
		require.NoError(t, err)
		require.Nil(t, got)
	},
	"a code is taken once, also by many who ask at once": func(t *testing.T, s storeSuite) {
		c := s.keep(t, credential(domain.CredentialCode, "code", start))
		var taken atomic.Int32
		for _, err := range together(16, func(int) error {
			got, err := s.TakeCode(t.Context(), c.Hash)
			if got != nil {
				taken.Add(1)
			}
			return err
		}) {
			require.NoError(t, err)
		}
		require.Equal(t, int32(1), taken.Load())
		key := s.keep(t, credential(domain.CredentialKey, "no code", start))
		got, err := s.TakeCode(t.Context(), key.Hash)
		require.NoError(t, err)
		require.Nil(t, got)
		got, err = s.Credential(t.Context(), key.ID)
		require.NoError(t, err)
		require.NotNil(t, got)
	},
	"lists are paged, newest first, by kind and by order": func(t *testing.T, s storeSuite) {
		order := domain.NewID()
		for i := range 5 {
			s.keep(t, credential(domain.CredentialKey, fmt.Sprint("k", i), start.Add(time.Duration(i)*time.Second)))
			link := credential(domain.CredentialLink, fmt.Sprint("l", i), start.Add(time.Duration(i)*time.Second))
			link.OrderID = order
			s.keep(t, link)
		}
		var prefixes []domain.Credential
		page := domain.Page{Size: 2}
		for {
			found, next, err := s.Credentials(t.Context(), domain.CredentialKey, "", page)
			require.NoError(t, err)
			prefixes = append(prefixes, found...)
			if next == nil {
				break
			}
			page.After = *next
		}
		require.Len(t, prefixes, 5)
		for i, c := range prefixes {
			require.Equal(t, start.Add(time.Duration(4-i)*time.Second), c.CreatedAt)
			require.Equal(t, domain.CredentialKey, c.Kind)
		}
		links, _, err := s.Credentials(t.Context(), domain.CredentialLink, order, domain.Page{Size: 10})
		require.NoError(t, err)
		require.Len(t, links, 5)
		links, _, err = s.Credentials(t.Context(), domain.CredentialLink, domain.NewID(), domain.Page{Size: 10})
		require.NoError(t, err)
		require.Empty(t, links)
	},
	"the newest use is remembered": func(t *testing.T, s storeSuite) {
		a, b := s.keep(t, credential(domain.CredentialKey, "a", start)), s.keep(t, credential(domain.CredentialKey, "b", start))
		later := start.Add(time.Hour)
		require.NoError(t, s.CredentialsUsed(t.Context(), map[string]time.Time{a.ID: later, b.ID: start, domain.NewID(): start}))
		require.NoError(t, s.CredentialsUsed(t.Context(), map[string]time.Time{a.ID: start}))
		got, err := s.Credential(t.Context(), a.ID)
		require.NoError(t, err)
		require.Equal(t, &later, got.LastUsedAt)
	},
	"credentials that expired are purged": func(t *testing.T, s storeSuite) {
		old, young := credential(domain.CredentialLink, "old", start), credential(domain.CredentialLink, "young", start)
		was, will := start, start.Add(time.Hour)
		old.ExpiresAt, young.ExpiresAt = &was, &will
		s.keep(t, old)
		s.keep(t, young)
		forever := s.keep(t, credential(domain.CredentialKey, "k", start))
		require.NoError(t, s.Purge(t.Context(), start, start, start, start.Add(time.Minute)))
		known, err := s.KnownCredentials(t.Context(), []string{old.ID, young.ID, forever.ID})
		require.NoError(t, err)
		require.Equal(t, map[string]*time.Time{young.ID: &will, forever.ID: nil}, known)
	},
	"a document is written over the version that its writer knew, and by one of many": func(t *testing.T, s storeSuite) {
		none, err := s.Document(t.Context(), domain.DocumentMerchant, "m1")
		require.NoError(t, err)
		require.Nil(t, none)
		require.NoError(t, s.ChangeAccess(t.Context(), domain.AccessChange{Document: document(1, "a")}))
		errs := together(8, func(i int) error {
			return s.ChangeAccess(t.Context(), domain.AccessChange{Document: document(2, fmt.Sprint(i))})
		})
		ok, lost, other := count(errs, domain.CodeVersionConflict)
		require.NoError(t, other)
		require.Equal(t, 1, ok)
		require.Equal(t, 7, lost)
		got, err := s.Document(t.Context(), domain.DocumentMerchant, "m1")
		require.NoError(t, err)
		require.Equal(t, int64(2), got.Version)
		require.Equal(t, document(2, "").ChangedBy, got.ChangedBy)
		all, err := s.Documents(t.Context(), domain.DocumentMerchant, "", 10)
		require.NoError(t, err)
		require.Equal(t, []domain.Document{*got}, all)
		all, err = s.Documents(t.Context(), domain.DocumentMerchant, "m1", 10)
		require.NoError(t, err)
		require.Empty(t, all)
	},
	"a writer of an old version is told who has changed which members since": func(t *testing.T, s storeSuite) {
		for i, data := range []string{`{"name":"a","locale":"ru"}`, `{"name":"b","locale":"ru"}`, `{"name":"b","zone":"UTC"}`} {
			doc := document(int64(i+1), "")
			doc.Data = []byte(data)
			require.NoError(t, s.ChangeAccess(t.Context(), domain.AccessChange{Document: doc}))
		}
		for version, changed := range map[int64][]string{2: {"locale", "name", "zone"}, 3: {"locale", "zone"}} {
			var conflict *domain.Error
			require.ErrorAs(t, s.ChangeAccess(t.Context(), domain.AccessChange{Document: document(version, "c")}), &conflict)
			require.Equal(t, &domain.Conflict{
				CurrentVersion: 3, ChangedBy: domain.Actor{Kind: domain.RoleAdmin}, ChangedAt: start, Changed: changed,
			}, conflict.Conflict, "nobody's call is not told which administrator")
		}
	},
	"a secret is the first one that was proposed": func(t *testing.T, s storeSuite) {
		got := make([]string, 8)
		for _, err := range together(len(got), func(i int) error {
			v, err := s.Secret(t.Context(), "key", []byte(fmt.Sprint("proposal ", i)))
			got[i] = string(v)
			return err
		}) {
			require.NoError(t, err)
		}
		for _, v := range got {
			require.Equal(t, got[0], v)
		}
		require.Contains(t, got[0], "proposal")
	},
}

func auditEntry(actor, object string, at time.Time) *domain.AuditEntry {
	return &domain.AuditEntry{
		At: at, Actor: domain.Actor{Kind: domain.RoleAdmin, ID: actor}, Action: "key.created", Object: object,
		Remote: "abc", Data: map[string]string{"role": "courier"},
	}
}

var auditTests = map[string]func(*testing.T, storeSuite){
	"entries have positions without gaps, also when many write at once": func(t *testing.T, s storeSuite) {
		for _, err := range together(20, func(i int) error {
			return s.ChangeAccess(t.Context(), domain.AccessChange{Audit: auditEntry("a", fmt.Sprint("key:", i), start)})
		}) {
			require.NoError(t, err)
		}
		requireCode(t, domain.CodeNotFound, s.ChangeAccess(t.Context(), domain.AccessChange{
			Drop: domain.NewID(), Audit: auditEntry("a", "never", start),
		}))
		all, err := s.AuditAfter(t.Context(), 0, 100)
		require.NoError(t, err)
		require.Len(t, all, 20)
		for i, e := range all {
			require.Equal(t, int64(i+1), e.Position)
		}
		rest, err := s.AuditAfter(t.Context(), 15, 3)
		require.NoError(t, err)
		require.Equal(t, all[15:18], rest)
	},
	"entries are found by who, what and when, newest first": func(t *testing.T, s storeSuite) {
		for i, who := range []string{"ann", "bob", "ann", "bob"} {
			require.NoError(t, s.ChangeAccess(t.Context(), domain.AccessChange{
				Audit: auditEntry(who, fmt.Sprint("key:", i%3), start.Add(time.Duration(i)*time.Minute)),
			}))
		}
		for name, c := range map[string]struct {
			filter domain.AuditFilter
			before int64
			limit  int
			want   []int64
		}{
			"all":    {domain.AuditFilter{}, 0, 10, []int64{4, 3, 2, 1}},
			"page":   {domain.AuditFilter{}, 3, 1, []int64{2}},
			"actor":  {domain.AuditFilter{ActorID: "ann"}, 0, 10, []int64{3, 1}},
			"object": {domain.AuditFilter{Object: "key:0"}, 0, 10, []int64{4, 1}},
			"time":   {domain.AuditFilter{From: start.Add(time.Minute), To: start.Add(3 * time.Minute)}, 0, 10, []int64{3, 2}},
		} {
			got, err := s.AuditEntries(t.Context(), c.filter, c.before, c.limit)
			require.NoError(t, err, name)
			var positions []int64
			for _, e := range got {
				positions = append(positions, e.Position)
			}
			require.Equal(t, c.want, positions, name)
		}
	},
	"a seal is made by one of many": func(t *testing.T, s storeSuite) {
		var sealed atomic.Int32
		for _, err := range together(8, func(i int) error {
			ok, err := s.SealAudit(t.Context(), domain.AuditSeal{Number: 1, LastPosition: 5, Hash: []byte{byte(i)}, SealedAt: start})
			if ok {
				sealed.Add(1)
			}
			return err
		}) {
			require.NoError(t, err)
		}
		require.Equal(t, int32(1), sealed.Load())
		seals, err := s.AuditSeals(t.Context(), 0, 10)
		require.NoError(t, err)
		require.Len(t, seals, 1)
		require.Equal(t, int64(5), seals[0].LastPosition)
		seals, err = s.AuditSeals(t.Context(), 1, 10)
		require.NoError(t, err)
		require.Empty(t, seals)
	},
}
