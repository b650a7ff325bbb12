package domaintest

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func phoneToken(courier, token string, at time.Time) domain.PhoneToken {
	return domain.PhoneToken{ID: domain.NewID(), CourierID: courier, Hash: domain.HashToken(token), CreatedAt: at}
}

var phoneTests = map[string]func(*testing.T, storeSuite){
	"tokens are kept, listed newest first and found by their hash": func(t *testing.T, s storeSuite) {
		c, other := s.courier(t, 1), s.courier(t, 1)
		first, second := phoneToken(c.ID, "one", start), phoneToken(c.ID, "two", start.Add(time.Second))
		for _, token := range []domain.PhoneToken{first, second, phoneToken(other.ID, "three", start)} {
			require.NoError(t, s.KeepToken(t.Context(), token, nil))
		}
		list, err := s.Tokens(t.Context(), c.ID)
		require.NoError(t, err)
		require.Equal(t, []domain.PhoneToken{second, first}, list)
		for token, owner := range map[string]string{"one": c.ID, "two": c.ID, "three": other.ID, "four": ""} {
			got, err := s.TokenOwner(t.Context(), domain.HashToken(token))
			require.NoError(t, err)
			require.Equal(t, owner, got, token)
		}
		for _, id := range []string{domain.NewID(), "nobody", ""} {
			requireCode(t, domain.CodeCourierNotFound, s.KeepToken(t.Context(), phoneToken(id, "five", start), nil))
			list, err := s.Tokens(t.Context(), id)
			require.NoError(t, err)
			require.Empty(t, list)
		}
	},
	"tokens are forgotten one by one or all at once, of one courier": func(t *testing.T, s storeSuite) {
		c, other := s.courier(t, 1), s.courier(t, 1)
		first := phoneToken(c.ID, "one", start)
		for _, token := range []domain.PhoneToken{
			first, phoneToken(c.ID, "two", start), phoneToken(c.ID, "three", start), phoneToken(other.ID, "four", start),
		} {
			require.NoError(t, s.KeepToken(t.Context(), token, nil))
		}
		kept := key("s", "keep")
		require.NoError(t, s.KeepToken(t.Context(), phoneToken(other.ID, "five", start), kept))
		require.ErrorIs(t, s.KeepToken(t.Context(), phoneToken(other.ID, "six", start), kept), domain.ErrRecorded)
		owner, err := s.TokenOwner(t.Context(), domain.HashToken("six"))
		require.NoError(t, err)
		require.Empty(t, owner, "a repeated request makes no token")
		drop := func(courier, id string, want int) {
			t.Helper()
			ids, err := s.DropTokens(t.Context(), courier, id, nil)
			require.NoError(t, err)
			require.Len(t, ids, want)
			if id != "" && want > 0 {
				require.Equal(t, []string{id}, ids)
			}
		}
		drop(other.ID, first.ID, 0)
		drop(c.ID, domain.NewID(), 0)
		drop(c.ID, "x", 0)
		drop("x", "", 0)
		drop(c.ID, first.ID, 1)
		owner, err = s.TokenOwner(t.Context(), first.Hash)
		require.NoError(t, err)
		require.Empty(t, owner)
		_, err = s.DropTokens(t.Context(), c.ID, "", key("s", "drop"))
		require.NoError(t, err)
		rec, err := s.Recorded(t.Context(), "s", "drop")
		require.NoError(t, err)
		var answer []string
		require.NoError(t, json.Unmarshal(rec.Result, &answer))
		require.Len(t, answer, 2, "the answer is remembered with what it did")
		_, err = s.DropTokens(t.Context(), other.ID, "", key("s", "drop"))
		require.ErrorIs(t, err, domain.ErrRecorded)
		drop(c.ID, "", 0)
		owner, err = s.TokenOwner(t.Context(), domain.HashToken("four"))
		require.NoError(t, err)
		require.Equal(t, other.ID, owner)
	},
	"tokens are there after a restart": func(t *testing.T, s storeSuite) {
		c := s.courier(t, 1)
		require.NoError(t, s.KeepToken(t.Context(), phoneToken(c.ID, "one", start), nil))
		s.Store = s.backend.Reopen(t, s.Store)
		owner, err := s.TokenOwner(t.Context(), domain.HashToken("one"))
		require.NoError(t, err)
		require.Equal(t, c.ID, owner)
	},
}
