package eta

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/eta"
)

// row is a line of a file: what became known begins at one time and completes at another;
// either may be absent.
type row struct {
	text, without   string // without is the line as it is before the completion; "" for none
	begins, becomes time.Time
}

// sheet is a file of a task.
type sheet struct {
	header string
	asks   bool // about each of its rows
	rows   []row
}

// sample is the input of a task. Its times are round, so that many things happen at once.
type sample struct{ train, replay []sheet }

var monday = time.Date(2018, 1, 1, 6, 0, 0, 0, time.UTC)

// samples make the input of each task; whoever asks twice gets the same.
var samples = map[string]func(r *rand.Rand) sample{
	"A1": motorbikes, "A2": motorbikes, "A3": meals, "B1": parcelRows, "B2": parcelRows, "C": cabTrips, "D": legRows,
}

// stages are what the product calls the tasks; a leg is any stage of minutes.
var stages = map[string]eta.Stage{
	"A1": eta.StageCarry, "A2": eta.StageOrder, "A3": eta.StageOrder, "B1": eta.StageBooking, "B2": eta.StageParcel, "C": eta.StageRest, "D": eta.StageApproach,
}

// frozen tasks learn from the given files only, whenever that was.
var frozen = []string{"A1", "A2", "C"}

const made = 360 // rows of a sample

func motorbikes(r *rand.Rand) sample {
	header := "id,user_id,rider_id,platform,biz,month_block,dom,weekday,placed,picked_up,arrived,road_km,p_lat,p_lng,d_lat,d_lng,broken_label"
	train, replay := sheet{header: header}, sheet{header: header, asks: true}
	for i := range made {
		at := monday.Add(time.Duration(i/3) * 10 * time.Minute % (12 * time.Hour))
		end := at.Add(time.Duration(20+10*r.IntN(5)) * time.Minute)
		line := func(rider, arrived string) string {
			return fmt.Sprintf("o%d,u%d,%s,3,B,0,1,0,%s,%s,%s,%d,-1.28,36.82,%v,36.79,0", i, i%7, rider,
				at.Add(-10*time.Minute).Format(time.TimeOnly), at.Format(time.TimeOnly), arrived, 2+i%9, -1.3-float64(i%4)/50)
		}
		rider := fmt.Sprintf("r%d", i%11)
		if i%4 > 0 {
			train.rows = append(train.rows, row{text: line(rider, end.Format(time.TimeOnly))})
		} else { // an answer that must not be read, and the row as it should be
			replay.rows = append(replay.rows, row{text: line(rider, end.Format(time.TimeOnly)), without: line(rider, "")})
		}
	}
	return sample{[]sheet{train}, []sheet{replay}}
}

func meals(r *rand.Rand) sample {
	header := "id,market_id,created_at,actual_delivery_time,store_id,order_protocol,total_items,subtotal,total_onshift_dashers,total_outstanding_orders"
	s := sample{[]sheet{{header: header}}, []sheet{{header: header, asks: true}}}
	for i := range made {
		at := monday.Add(time.Duration(i/3) * 10 * time.Minute)
		end := at.Add(time.Duration(20+10*r.IntN(6)) * time.Minute)
		line := func(end string) string {
			return fmt.Sprintf("o%d,%d,%s,%s,s%d,1,%d,%d,20,%d", i, i%2, at.Format(time.DateTime), end, i%6, 1+i%4, 1000+i%7*300, i%30)
		}
		to := &s.replay[0]
		if i < made/3 {
			to = &s.train[0]
		}
		to.rows = append(to.rows, row{line(end.Format(time.DateTime)), line(""), at, end})
	}
	return s
}

func parcelRows(r *rand.Rand) sample {
	s := sample{[]sheet{{header: strings.TrimSpace(header)}}, []sheet{{header: strings.TrimSpace(header), asks: true}, {header: "ts,event,order_id"}}}
	for i := range made {
		at := monday.Add(time.Duration(i/3) * 4 * time.Hour)
		handed := at.Add(24 * time.Hour)
		done := handed.Add(time.Duration(24*(2+r.IntN(5))) * time.Hour)
		line := func(handed, done string) string {
			return fmt.Sprintf("o%d,%s,%s,%s,%s,s%d,-23.5,-46.6,-22.9,%v", i, at.Format(time.DateTime), handed, done, at.AddDate(0, 0, 20).Format(time.DateOnly), i%3, -43.2-float64(i%5)/10)
		}
		begun := line(handed.Format(time.DateTime), "")
		if i%2 == 0 {
			s.train[0].rows = append(s.train[0].rows, row{line(handed.Format(time.DateTime), done.Format(time.DateTime)), begun, at, done})
			continue
		}
		s.replay[0].rows = append(s.replay[0].rows, row{text: line("", ""), begins: at})
		s.replay[1].rows = append(s.replay[1].rows, row{text: fmt.Sprintf("%s,handover,o%d", handed.Format(time.DateTime), i)},
			row{text: fmt.Sprintf("%s,delivered,o%d", done.Format(time.DateTime), i), becomes: done})
	}
	return s
}

func cabTrips(r *rand.Rand) sample {
	trips, pings := "trip,cab,t0,d_lat,d_lng,t1,n", "t,trip,seq,lat,lng"
	s := sample{[]sheet{{header: trips}, {header: pings}}, []sheet{{header: trips, asks: true}, {header: pings}}}
	for i := range made / 6 {
		begin := monday.Add(time.Duration(i/3) * 10 * time.Minute)
		n := 8 + r.IntN(6)
		end := begin.Add(time.Duration(n) * time.Minute)
		line := func(end string) string {
			return fmt.Sprintf("t%d,c%d,%d,37.79,-122.41,%s,%d", i, i%5, begin.Unix(), end, n)
		}
		side := s.train
		if i%4 == 0 {
			side = s.replay
		}
		side[0].rows = append(side[0].rows, row{text: line(fmt.Sprint(end.Unix())), without: line("")})
		for k := range n { // from the ninth on two at a time
			at := begin.Add(time.Duration(k-max(0, k-8)/2) * time.Minute)
			lat := 37.75 + .04*float64(k)/float64(n) + .002*r.NormFloat64()
			side[1].rows = append(side[1].rows, row{text: fmt.Sprintf("%d,t%d,%d,%.5f,-122.41", at.Unix(), i, k, lat), becomes: at, begins: at})
		}
	}
	return s
}

func legRows(r *rand.Rand) sample {
	header := "id,trip_uuid,source_center,destination_center,route_type,od_start_time,osrm_time,actual_time"
	s := sample{[]sheet{{header: header}}, []sheet{{header: header, asks: true}, {header: "ts,event,id"}}}
	for i := range made {
		at := monday.Add(time.Duration(i/3) * 10 * time.Minute)
		took := 40 + 10*r.IntN(9)
		end := at.Add(time.Duration(took) * time.Minute)
		line := func(took string) string {
			return fmt.Sprintf("o%d,t%d,a%d,b%d,FTL,%s,%d,%s", i, i, i%4, i%3, at.Format(time.DateTime), 30+i%5*7, took)
		}
		if i%2 == 0 {
			s.train[0].rows = append(s.train[0].rows, row{line(fmt.Sprint(took)), line(""), at, end})
			continue
		}
		s.replay[0].rows = append(s.replay[0].rows, row{text: line(""), begins: at})
		s.replay[1].rows = append(s.replay[1].rows, row{text: fmt.Sprintf("%s,finish,o%d", end.Format(time.DateTime), i), becomes: end})
	}
	return s
}

// files writes the sample's files; change may change a row or leave it out, and seed, unless
// zero, shuffles the lines.
func (s sample) files(t *testing.T, change func(f *sheet, r row) string, seed uint64) (train, replay []string) {
	dir := t.TempDir()
	write := func(kind string, sheets []sheet) (names []string) {
		for i := range sheets {
			var lines []string
			for _, r := range sheets[i].rows {
				if line := change(&sheets[i], r); line != "" {
					lines = append(lines, line)
				}
			}
			if seed != 0 {
				rand.New(rand.NewPCG(seed, 1)).Shuffle(len(lines), func(i, j int) { lines[i], lines[j] = lines[j], lines[i] })
			}
			names = append(names, filepath.Join(dir, fmt.Sprint(kind, i, ".csv")))
			require.NoError(t, os.WriteFile(names[i], []byte(sheets[i].header+"\n"+strings.Join(lines, "\n")+"\n"), 0o600))
		}
		return names
	}
	return write("train", s.train), write("replay", s.replay)
}

// answered returns what a run with the files writes.
func answered(t *testing.T, task string, train, replay []string) []string {
	out := filepath.Join(t.TempDir(), "pred.csv")
	require.NoError(t, runFiles(flags{task: task, train: train, replay: replay, out: out}))
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	return strings.Split(string(text), "\n")
}

func whole(_ *sheet, r row) string { return r.text }

// known is the row as it is before a time: what completes then, or begins then and is not
// asked about, is not known yet.
func known(cut time.Time) func(*sheet, row) string {
	return func(f *sheet, r row) string {
		switch {
		case !r.begins.IsZero() && !r.begins.Before(cut) && !f.asks:
			return ""
		case !r.becomes.IsZero() && !r.becomes.Before(cut):
			return r.without
		}
		return r.text
	}
}

// Whatever happens at the time of a question or after it changes no answer, nor does the
// sequence of lines; for every task.
func TestNoAnswerKnowsItsOwnTime(t *testing.T) {
	for task, sampled := range samples {
		t.Run(task, func(t *testing.T) {
			s := sampled(rand.New(rand.NewPCG(3, 5)))
			run := func(change func(*sheet, row) string, seed uint64) []string {
				train, replay := s.files(t, change, seed)
				return answered(t, task, train, replay)
			}
			want := run(whole, 0)
			require.Greater(t, len(want), made/4, "rows are answered")
			require.Equal(t, want, run(whole, 0), "the same again")
			for seed := range uint64(3) {
				require.Equal(t, want, run(whole, seed+1), "lines in another sequence")
			}
			hidden := func(f *sheet, r row) string {
				if f.asks && r.without != "" {
					return r.without
				}
				return r.text
			}
			if slices.Contains(frozen, task) {
				require.Equal(t, want, run(hidden, 4), "answers in the questions are not read")
				return
			}
			asked := askedAt(t, task, s)
			for _, part := range []int{3, 2} {
				cut := asked[want[len(want)/part][:strings.Index(want[len(want)/part], ",")]]
				got := run(known(cut), 5)
				require.Len(t, got, len(want), "%s", cut)
				same, others := 0, 0
				for i, line := range want[1 : len(want)-1] {
					id, _, _ := strings.Cut(line, ",")
					switch when := asked[id]; {
					case !when.After(cut):
						require.Equal(t, line, got[i+1], "asked at %s, and what came from %s on was taken away", when, cut)
						same++
					case line != got[i+1]:
						others++
					}
				}
				require.Greater(t, same, 20)
				require.Greater(t, others, 20, "the later ones know less")
			}
		})
	}
}

// askedAt is when each row is asked about.
func askedAt(t *testing.T, task string, s sample) map[string]time.Time {
	out := map[string]time.Time{}
	for _, h := range happenings(t, task, s) {
		if h.what == ask {
			out[h.id] = h.at
		}
	}
	return out
}

// happenings are the steps of a task in their sequence.
func happenings(t *testing.T, task string, s sample) []happening {
	var in input
	train, replay := s.files(t, whole, 0)
	for _, side := range []struct {
		names []string
		into  *[]*table
	}{{train, &in.train}, {replay, &in.replay}} {
		for _, name := range side.names {
			one, err := readTable(name)
			require.NoError(t, err)
			*side.into = append(*side.into, one)
		}
	}
	all, err := tasks[task](&in)
	require.NoError(t, err)
	play(eta.New(stages[task].Settings()), all) // puts them in sequence
	return all
}

// An answer about a cab's trip knows its positions so far, even of two at the same time.
func TestACabsNextPositionIsNotKnown(t *testing.T) {
	s := samples["C"](rand.New(rand.NewPCG(3, 5)))
	train, replay := s.files(t, whole, 0)
	want := answered(t, "C", train, replay)
	for _, most := range []int{5, 8, 9, 10, 11} {
		train, replay := s.files(t, func(f *sheet, r row) string {
			if cells := strings.Split(r.text, ","); f.header == s.replay[1].header && len(f.rows) == len(s.replay[1].rows) {
				var seq int
				_, err := fmt.Sscan(cells[2], &seq)
				require.NoError(t, err)
				if seq > most {
					return ""
				}
			}
			return r.text
		}, 6)
		got := answered(t, "C", train, replay)
		for _, line := range got {
			require.True(t, slices.Contains(want, line), "%s: positions after the %dth were taken away", line, most)
		}
	}
}

// What the product does with the same lessons, in its book and across restarts at any
// moment, is what the replay says; for every task.
func TestARestartChangesNoAnswer(t *testing.T) {
	for task, sampled := range samples {
		t.Run(task, func(t *testing.T) {
			all := happenings(t, task, sampled(rand.New(rand.NewPCG(3, 5))))
			stage := stages[task]
			want := play(eta.New(stage.Settings()), all)
			book, place := eta.NewBook(), int64(0)
			learn := func(h happening, l eta.Lesson) {
				data, err := json.Marshal([]eta.Lesson{l})
				require.NoError(t, err)
				var stored []eta.Lesson // as it comes from the database
				require.NoError(t, json.Unmarshal(data, &stored))
				place++
				require.True(t, book.Learn(place, h.id, h.at, stored))
			}
			var got []answer
			for i, h := range all {
				switch h.what {
				case ask:
					got = append(got, answer{h.id, book.Predict(stage, *h.trip)})
				case open:
					learn(h, eta.Begin(stage, *h.trip))
				case finish:
					learn(h, eta.Finish(stage, h.cases...))
				}
				if i%23 == 0 {
					again := eta.NewBook()
					require.NoError(t, again.Restore(book.Snapshot()))
					require.Equal(t, place, again.Place())
					book = again
				}
			}
			require.Equal(t, want, got)
		})
	}
}
