package eta

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

const header = "order_id,purchase_ts,handover_ts,delivered_ts,promised_date,seller_id,s_lat,s_lng,c_lat,c_lng\n"

// parcels makes n parcels, one an hour, of which the odd ones are asked for.
func parcelFiles(n int, shuffled bool) (train, replay, events string) {
	r := rand.New(rand.NewPCG(1, 1))
	var asked, known, told []string
	for i := range n {
		at := time.Date(2018, 1, 1, i, 0, 0, 0, time.UTC)
		handed := at.Add(20 * time.Hour)
		done := handed.Add(time.Duration(24*(2+r.IntN(5))) * time.Hour)
		row := func(handed, done string) string {
			return fmt.Sprintf("o%d,%s,%s,%s,%s,s%d,-23.5,-46.6,-22.9,%v", i, at.Format(time.DateTime), handed, done, at.AddDate(0, 0, 20).Format(time.DateOnly), i%3, -43.2-float64(i%5)/10)
		}
		if i%2 == 0 {
			known = append(known, row(handed.Format(time.DateTime), done.Format(time.DateTime)))
			continue
		}
		asked = append(asked, row("", ""))
		told = append(told, fmt.Sprintf("%s,handover,o%d", handed.Format(time.DateTime), i), fmt.Sprintf("%s,delivered,o%d", done.Format(time.DateTime), i))
	}
	if shuffled {
		for _, list := range [][]string{asked, known, told} {
			rand.Shuffle(len(list), func(i, j int) { list[i], list[j] = list[j], list[i] })
		}
	}
	return header + strings.Join(known, "\n") + "\n", header + strings.Join(asked, "\n") + "\n", "ts,event,order_id\n" + strings.Join(told, "\n") + "\n"
}

func predict(t *testing.T, task, train, replay, events string) string {
	dir := t.TempDir()
	put := func(name, text string) string {
		name = filepath.Join(dir, name)
		require.NoError(t, os.WriteFile(name, []byte(text), 0o600))
		return name
	}
	out := filepath.Join(dir, "pred.csv")
	f, err := parse([]string{"--task", task, "--train", put("train.csv", train), "--replay", put("replay.csv", replay), put("events.csv", events), "--out", out})
	require.NoError(t, err)
	require.NoError(t, runFiles(f))
	text, err := os.ReadFile(out)
	require.NoError(t, err)
	return string(text)
}

func TestAReplayLooksAtThePastOnly(t *testing.T) {
	for _, task := range []string{"B1", "B2"} {
		train, replay, events := parcelFiles(400, false)
		want := predict(t, task, train, replay, events)
		require.Equal(t, want, predict(t, task, train, replay, events), "the same again")
		train2, replay2, events2 := parcelFiles(400, true)
		require.Equal(t, want, predict(t, task, train2, replay2, events2), "lines in another order")

		// Without what was delivered later the answers up to then are the same.
		const until = "2018-01-09"
		var early []string
		for _, line := range strings.Split(events, "\n") {
			if line < until || strings.HasPrefix(line, "ts") || strings.Contains(line, "handover") {
				early = append(early, line)
			}
		}
		got := strings.Split(predict(t, task, train, replay, strings.Join(early, "\n")+"\n"), "\n")
		same := 0
		for i, line := range strings.Split(want, "\n") {
			if i > 0 && i < 80 { // asked within 159 hours, or handed over 20 later
				require.Equal(t, line, got[i])
				same++
			}
		}
		require.Equal(t, 79, same)
		require.NotEqual(t, want, strings.Join(got, "\n"), "the later ones know less")
	}
}

func TestBadFilesAreRefused(t *testing.T) {
	_, err := parse([]string{"--task", "Z", "--replay", "x", "--out", "y"})
	require.Error(t, err)
	_, err = parse([]string{"--task", "A1", "--out", "y", "z", "--replay", "x"})
	require.ErrorContains(t, err, "what is")
	dir := t.TempDir()
	name := filepath.Join(dir, "replay.csv")
	require.NoError(t, os.WriteFile(name, []byte("id,created_at,actual_delivery_time\na,yesterday,\n"), 0o600))
	err = runFiles(flags{task: "A3", replay: []string{name}, out: filepath.Join(dir, "out")})
	require.ErrorContains(t, err, "created_at")
	require.NoFileExists(t, filepath.Join(dir, "out"))
}
