package access

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/order-tracking/order-tracking/internal/domain"
)

func TestABurstAndThenTheRate(t *testing.T) {
	c := newClock()
	l := NewLimiter(c, Limit{Rate: 10, Burst: 3})
	for want := 2; want >= 0; want-- {
		q, err := l.Take("a")
		require.NoError(t, err)
		require.Equal(t, want, q.Remaining)
	}
	q, err := l.Take("a")
	require.Equal(t, domain.CodeRateLimited, domain.CodeOf(err))
	require.Equal(t, 100*time.Millisecond, q.Retry)
	require.Equal(t, 300*time.Millisecond, q.Reset)
	_, err = l.Take("b")
	require.NoError(t, err, "others have their own")
	c.pass(q.Retry)
	_, err = l.Take("a")
	require.NoError(t, err)
	_, err = l.Take("a")
	require.Error(t, err)
	require.Nil(t, NewLimiter(c, Limit{}))
}

func TestNoMoreThanTheBurstAndTheRate(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		limit := Limit{Rate: float64(rapid.IntRange(1, 50).Draw(t, "rate")), Burst: rapid.IntRange(1, 20).Draw(t, "burst")}
		l := NewLimiter(c, limit)
		begun, allowed := c.Now(), 0
		for range rapid.IntRange(1, 200).Draw(t, "calls") {
			c.pass(time.Duration(rapid.IntRange(0, 200).Draw(t, "pause")) * time.Millisecond)
			if _, err := l.Take("a"); err == nil {
				allowed++
			}
			most := float64(limit.Burst) + c.Now().Sub(begun).Seconds()*limit.Rate
			if float64(allowed) > most+1e-6 {
				t.Fatalf("%d calls were allowed, %v are possible", allowed, most)
			}
		}
	})
}

func TestWhoDoesNotCallIsForgotten(t *testing.T) {
	c := newClock()
	l := NewLimiter(c, Limit{Rate: 10, Burst: 3})
	for round := range 4 {
		for i := range 20_000 {
			_, err := l.Take(fmt.Sprint(round, " ", i))
			require.NoError(t, err)
		}
		c.pass(time.Minute)
	}
	kept := 0
	for i := range l.parts {
		kept += len(l.parts[i].next)
	}
	require.LessOrEqual(t, kept, 2*20_000+16_000)
}
