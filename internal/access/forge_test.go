package access

import (
	"context"
	"flag"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var forgeries = flag.Int("forge", 20_000, "how many forged credentials to try; make forge tries a million")

// counting is a store that counts queries; none are expected.
type counting struct {
	domain.AccessStore
	asked int
}

func (c *counting) CredentialByHash(context.Context, [32]byte) (*domain.Credential, error) {
	c.asked++
	return nil, nil
}

// TestForgedCredentials tries typical forgeries: none is accepted and none costs a query.
func TestForgedCredentials(t *testing.T) {
	store := &counting{}
	g := NewGuard(store, newClock(), zap.NewNop(), GuardConfig{BootstrapKey: bootstrapKey})
	r := rand.New(rand.NewPCG(1, 2)) //nolint:gosec // the same forgeries in every run
	good := newSecret("adm")
	took := make([]time.Duration, 0, *forgeries)
	for range *forgeries {
		credential := forge(r, good)
		begun := time.Now()
		_, err := g.Authorize(t.Context(), Request{Credential: credential})
		took = append(took, time.Since(begun))
		if domain.CodeOf(err) != domain.CodeUnauthenticated {
			t.Fatalf("%q: %v", credential, err)
		}
	}
	require.Zero(t, store.asked, "each forgery was seen without a look-up")
	slices.Sort(took)
	p99 := took[len(took)*99/100]
	t.Logf("%d forgeries refused, p99 %s", len(took), p99)
	require.Less(t, p99, time.Millisecond)
}

// forge makes an invalid credential from a valid-looking key, which is not stored anyway,
// or from the bootstrap key.
func forge(r *rand.Rand, good string) string {
	b := []byte(good)
	switch r.IntN(6) {
	case 0: // a bit
		b[r.IntN(len(b))] ^= 1 << r.IntN(7)
	case 1: // cut
		return good[:1+r.IntN(len(good)-1)]
	case 2: // longer
		return good + strings.Repeat(string(base62[r.IntN(62)]), 1+r.IntN(8))
	case 3: // another's checksum
		for i := len(b) - secretSum - secretRandom; i < len(b)-secretSum; i++ {
			b[i] = base62[r.IntN(62)]
		}
	case 4: // another kind
		copy(b[3:], []string{"dsp", "mer", "cou", "prt", "mon", "shr"}[r.IntN(6)])
	default:
		k := []byte(bootstrapKey)
		k[r.IntN(len(k))] ^= 1 << r.IntN(8)
		return string(k)
	}
	if string(b) == good {
		return good[1:]
	}
	return string(b)
}

func FuzzCredential(f *testing.F) {
	f.Add(newSecret("adm"))
	f.Add("a.b.c")
	f.Add("ot_adm_")
	c := newClock()
	tokens := newForger(f, c)
	for _, bad := range tokens.bad {
		f.Add(bad)
	}
	g := NewGuard(&counting{}, c, zap.NewNop(), GuardConfig{BootstrapKey: bootstrapKey, Issuer: tokens.provider})
	f.Fuzz(func(t *testing.T, s string) {
		if s == "" || s == bootstrapKey {
			return
		}
		if _, err := g.Authorize(t.Context(), Request{Credential: s}); domain.CodeOf(err) != domain.CodeUnauthenticated {
			t.Fatalf("%q was let in: %v", s, err)
		}
	})
}
