package domaintest

import (
	"math"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
)

var lessonTests = map[string]func(*testing.T, storeSuite){
	"the end of an order is a lesson, once, whoever works it out": func(t *testing.T, s storeSuite) {
		ctx := t.Context()
		var refs []domain.LessonRef
		for range 3 {
			o := s.create(t, draft(), start)
			pending, err := s.PendingLessons(ctx, 100)
			require.NoError(t, err)
			require.Len(t, pending, len(refs), "nothing ended")
			for range 2 { // the second is refused, as it has ended
				_, _ = s.UpdateOrder(ctx, o.ID, func(ch *domain.Change) error {
					events, err := ch.Order.Move(domain.StatusCancelled, nil, by(start))
					ch.Add(events...)
					return err
				})
			}
			refs = append(refs, domain.LessonRef{OrderID: o.ID, Ended: true})
		}
		pending, err := s.PendingLessons(ctx, 100)
		require.NoError(t, err)
		require.ElementsMatch(t, refs, pending)
		some, err := s.PendingLessons(ctx, 2)
		require.NoError(t, err)
		require.Len(t, some, 2)

		var lessons []domain.Lesson
		for i, ref := range pending {
			lessons = append(lessons, domain.Lesson{LessonRef: ref, At: start.Add(time.Duration(i) * time.Minute), Data: []byte(`[1]`)})
		}
		var wg sync.WaitGroup
		for range 4 {
			wg.Go(func() {
				if err := s.KeepLessons(ctx, lessons); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		learned, err := s.LessonsAfter(ctx, 0, 100)
		require.NoError(t, err)
		require.Len(t, learned, 3)
		for i, l := range learned {
			require.Equal(t, pending[i], l.LessonRef)
			require.Equal(t, lessons[i].At, l.At)
			require.JSONEq(t, `[1]`, string(l.Data))
			rest, err := s.LessonsAfter(ctx, l.Place, 100)
			require.NoError(t, err)
			require.Len(t, rest, 2-i)
		}
		pending, err = s.PendingLessons(ctx, 100)
		require.NoError(t, err)
		require.Empty(t, pending)
	},
	"the latest snapshot stays": func(t *testing.T, s storeSuite) {
		ctx := t.Context()
		data, err := s.Book(ctx)
		require.NoError(t, err)
		require.Empty(t, data)
		require.NoError(t, s.KeepBook(ctx, 5, []byte{0, 5, 255}))
		require.NoError(t, s.KeepBook(ctx, 3, []byte{3}))
		data, err = s.Book(ctx)
		require.NoError(t, err)
		require.Equal(t, []byte{0, 5, 255}, data)
		require.NoError(t, s.KeepBook(ctx, 7, []byte{7}))
		data, err = s.Book(ctx)
		require.NoError(t, err)
		require.Equal(t, []byte{7}, data)
	},
	"reports group the errors of first estimates": func(t *testing.T, s storeSuite) {
		ctx := t.Context()
		merchant := domain.NewID()
		var lessons []domain.Lesson
		for i, off := range []time.Duration{-30 * time.Minute, 10 * time.Minute, 2 * time.Minute, 0} {
			o := s.create(t, draft(), start)
			_, err := s.UpdateOrder(ctx, o.ID, func(ch *domain.Change) error {
				events, err := ch.Order.Move(domain.StatusCancelled, nil, by(start))
				ch.Add(events...)
				return err
			})
			require.NoError(t, err)
			l := domain.Lesson{
				LessonRef: domain.LessonRef{OrderID: o.ID, Ended: true}, At: time.Date(2026, 5, 4+7*(i/2), 9, 0, 0, 0, time.UTC),
				Data: []byte(`[]`), MerchantID: merchant, Zone: []string{"a", "a", "b", ""}[i], Error: &off, Late: i == 0, Early: i == 1,
			}
			if i == 3 {
				l.Error = nil
			}
			lessons = append(lessons, l)
		}
		require.NoError(t, s.KeepLessons(ctx, lessons))
		from, to := lessons[0].At, lessons[0].At.AddDate(0, 1, 0)
		report := func(by domain.ReportBy) []domain.EstimateGroup {
			got, err := s.EstimateReport(ctx, by, merchant, from, to, 10)
			require.NoError(t, err)
			return got
		}
		require.Equal(t, []domain.EstimateGroup{
			{Group: "a", Orders: 2, MAE: 20, Bias: -10, Coverage: 0, LateShare: 0.5}, {Group: "b", Orders: 1, MAE: 2, Bias: 2, Coverage: 1},
		}, report(domain.ByZone), "the worst first")
		weeks := report(domain.ByWeek)
		require.Len(t, weeks, 2)
		require.Equal(t, []string{"2026-05-04", "2026-05-11"}, []string{weeks[0].Group, weeks[1].Group}, "Mondays")
		all := report(domain.ByAll)
		require.Len(t, all, 1)
		require.Equal(t, int64(3), all[0].Orders)
		require.InDelta(t, 1./3, all[0].Coverage, 1e-9)
		require.InDelta(t, 14, all[0].MAE, 1e-9)
		got, err := s.EstimateReport(ctx, domain.ByMerchant, "", from, to, 1000)
		require.NoError(t, err)
		require.Contains(t, got, domain.EstimateGroup{Group: merchant, Orders: 3, MAE: 14, Bias: -6, Coverage: all[0].Coverage, LateShare: all[0].LateShare})
		got, err = s.EstimateReport(ctx, domain.ByZone, merchant, to, to.AddDate(1, 0, 0), 10)
		require.NoError(t, err)
		require.Empty(t, got)
		_, err = s.EstimateReport(ctx, "?", "", from, to, 10)
		require.Equal(t, domain.CodeValidationFailed, domain.CodeOf(err))
	},
	"reports of any time are what a naive sum says": naiveEstimates,
}

func naiveEstimates(t *testing.T, s storeSuite) {
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 5))
	town := domain.NewID() // others may have lessons too
	begin := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	var lessons []domain.Lesson
	for range 60 {
		o := s.create(t, draft(), start)
		_, err := s.move(t.Context(), o.ID, domain.StatusCancelled)
		require.NoError(t, err)
		off := time.Duration(r.IntN(7200)-3600) * time.Second
		lessons = append(lessons, domain.Lesson{
			LessonRef: domain.LessonRef{OrderID: o.ID, Ended: true}, At: begin.Add(time.Duration(r.IntN(200*24*60)) * time.Minute), Data: []byte(`[]`),
			MerchantID: town + []string{"a", "b"}[r.IntN(2)], Zone: town + []string{"c", "d"}[r.IntN(2)], Error: &off, Late: off > time.Hour/2,
		})
	}
	for range 2 { // the second time changes nothing
		require.NoError(t, s.KeepLessons(t.Context(), lessons))
	}
	for range 60 {
		from := begin.Add(time.Duration(r.IntN(200*24*60)) * time.Minute)
		to := from.Add(time.Duration(1+r.IntN(200*24*60)) * time.Minute)
		for by, name := range map[domain.ReportBy]func(domain.Lesson) string{
			domain.ByZone:     func(l domain.Lesson) string { return l.Zone },
			domain.ByMerchant: func(l domain.Lesson) string { return l.MerchantID },
		} {
			want, late := map[string][]float64{}, map[string]float64{}
			for _, l := range lessons {
				if !l.At.Before(from) && l.At.Before(to) {
					want[name(l)] = append(want[name(l)], l.Error.Minutes())
					if l.Late {
						late[name(l)]++
					}
				}
			}
			got, err := s.EstimateReport(t.Context(), by, "", from, to, 1000)
			require.NoError(t, err)
			for _, g := range got {
				if !strings.HasPrefix(g.Group, town) {
					continue
				}
				errors, sum, off := want[g.Group], 0.0, 0.0
				for _, e := range errors {
					sum, off = sum+e, off+math.Abs(e)
				}
				n := float64(len(errors))
				require.EqualValues(t, n, g.Orders, "seed %d: %s from %s to %s", seed, by, from, to)
				require.InDeltaSlice(t, []float64{off / n, sum / n, 1 - late[g.Group]/n, late[g.Group] / n}, []float64{g.MAE, g.Bias, g.Coverage, g.LateShare}, 1e-6)
				delete(want, g.Group)
			}
			require.Empty(t, want, "seed %d: %s from %s to %s", seed, by, from, to)
		}
	}
}
