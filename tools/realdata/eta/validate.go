package eta

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// validate runs every task on the validation split of the development files in a folder
// and prints what the scorer there says, beside its goals. The last 20 % by time of A3 and
// D are held out; of the others the rows marked valid.
func validate(ctx context.Context, dir string, only string, out io.Writer) error {
	work, err := os.MkdirTemp("", "eta")
	if err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(work) }()
	fmt.Fprintln(out, "| task | rows | MAE | goals | pinball | goals | covered % | goal | worst segment % | late % | worst late % |")
	fmt.Fprintln(out, "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |")
	for _, task := range []string{"A1", "A2", "A3", "B1", "B2", "C", "D"} {
		if only != "" && only != task {
			continue
		}
		if err := validateTask(ctx, dir, work, task, out); err != nil {
			return fmt.Errorf("%s: %w", task, err)
		}
	}
	return nil
}

// sources are the development files of a task, and the columns that tell the answer.
var sources = map[string]struct {
	files  []string
	hidden []string
}{
	"A1": {[]string{"sendy_orders_dev"}, []string{"arrived", "y_a1_min", "y_a2_min", "broken_label"}},
	"A2": {[]string{"sendy_orders_dev"}, []string{"arrived", "y_a1_min", "y_a2_min", "broken_label", "rider_id", "confirmed", "at_pickup", "picked_up"}},
	"A3": {[]string{"doordash_orders_dev"}, []string{"y_min"}},
	"B1": {[]string{"olist_orders_dev"}, []string{"handover_ts", "delivered_ts"}},
	"B2": {[]string{"olist_orders_dev"}, []string{"handover_ts", "delivered_ts"}},
	"C":  {[]string{"cab_trips_dev", "cab_pings_dev"}, []string{"t1"}},
	"D":  {[]string{"delhivery_legs_dev"}, []string{"actual_time"}},
}

func validateTask(ctx context.Context, dir, work, task string, out io.Writer) error {
	f := flags{task: task, out: filepath.Join(work, task+".pred.csv")}
	truth := filepath.Join(dir, "valid_truth_"+task+".csv")
	for i, name := range sources[task].files {
		t, err := readTable(filepath.Join(dir, name+".csv.gz"))
		if err != nil {
			return err
		}
		if i > 0 { // positions belong to trips of both parts
			f.train = append(f.train, t.name)
			continue
		}
		train, valid := split(t, task)
		if task == "A3" || task == "D" {
			truth = filepath.Join(work, task+".truth.csv")
			if err := save(truth, []string{"id", "y"}, answers(t, valid, task)); err != nil {
				return err
			}
		}
		if slices.Contains([]string{"B1", "B2", "D"}, task) {
			f.replay = append(f.replay, filepath.Join(work, task+".events.csv"))
			idColumn := "order_id"
			if task == "D" {
				idColumn = "id"
			}
			if err := save(f.replay[0], []string{"ts", "event", idColumn}, events(t, valid, task)); err != nil {
				return err
			}
		}
		header := make([]string, len(t.column))
		for c, i := range t.column {
			header[i] = c
		}
		f.train = append(f.train, filepath.Join(work, task+".train.csv"))
		f.replay = append(f.replay, filepath.Join(work, task+".replay.csv"))
		hidden := hide(t, valid, sources[task].hidden)
		if err := errors.Join(save(f.train[0], header, train), save(f.replay[len(f.replay)-1], header, hidden)); err != nil {
			return err
		}
	}
	if err := runFiles(f); err != nil {
		return err
	}
	return report(ctx, dir, task, f.out, truth, out)
}

// split parts the rows of a development file.
func split(t *table, task string) (train, valid [][]string) {
	if task != "A3" && task != "D" {
		for _, row := range t.rows {
			if t.text(row, "split") == "valid" {
				valid = append(valid, row)
			} else {
				train = append(train, row)
			}
		}
		return train, valid
	}
	by := map[string]string{"A3": "created_at", "D": "od_start_time"}[task]
	rows := slices.Clone(t.rows)
	slices.SortStableFunc(rows, func(a, b []string) int { return strings.Compare(t.text(a, by), t.text(b, by)) })
	n := len(rows) * 4 / 5
	return rows[:n], rows[n:]
}

// hide empties columns.
func hide(t *table, rows [][]string, columns []string) [][]string {
	out := make([][]string, len(rows))
	for i, row := range rows {
		out[i] = slices.Clone(row)
		for _, c := range columns {
			if at, ok := t.column[c]; ok {
				out[i][at] = ""
			}
		}
	}
	return out
}

func answers(t *table, rows [][]string, task string) (out [][]string) {
	y := map[string]string{"A3": "y_min", "D": "actual_time"}[task]
	for _, row := range rows {
		out = append(out, []string{t.text(row, "id"), t.text(row, y)})
	}
	return out
}

func events(t *table, rows [][]string, task string) (out [][]string) {
	for _, row := range rows {
		if task == "D" {
			id, start := t.text(row, "id"), t.time(row, "od_start_time")
			end := start.Add(minutes(t.number(row, "actual_time")))
			out = append(out, []string{start.Format("2006-01-02 15:04:05.999999"), "start", id}, []string{end.Format("2006-01-02 15:04:05.999999"), "finish", id})
			continue
		}
		for _, e := range [][2]string{{"purchase_ts", "created"}, {"handover_ts", "handover"}, {"delivered_ts", "delivered"}} {
			if at := t.text(row, e[0]); at != "" {
				out = append(out, []string{at, e[1], t.text(row, "order_id")})
			}
		}
	}
	slices.SortStableFunc(out, func(a, b []string) int { return strings.Compare(a[0], b[0]) })
	return out
}

func save(name string, header []string, rows [][]string) error {
	f, err := os.Create(name)
	if err != nil {
		return err
	}
	w := csv.NewWriter(f)
	return errors.Join(w.Write(header), w.WriteAll(rows), f.Close())
}

// goal is a line of goals.json: a limit, a band or a minimum.
type goal struct {
	Must    float64    `json:"must"`
	Stretch float64    `json:"stretch"`
	Band    [2]float64 `json:"band"`
	Min     float64    `json:"min"`
}

func report(ctx context.Context, dir, task, pred, truth string, out io.Writer) error {
	begun := time.Now()
	raw, err := exec.CommandContext(ctx, "python3", filepath.Join(dir, "score.py"), task, pred, truth, "--json").CombinedOutput()
	raw = bytes.ReplaceAll(raw, []byte("NaN"), []byte("null")) // which only segments have
	var score struct {
		Metrics map[string]float64 `json:"metrics"`
		Goals   map[string]string  `json:"goals"`
	}
	if err == nil {
		err = json.Unmarshal(raw, &score)
	}
	if err != nil {
		return fmt.Errorf("score.py after %s: %w: %s", time.Since(begun), err, raw)
	}
	var goals map[string]map[string]goal
	file, err := os.ReadFile(filepath.Join(dir, "goals.json"))
	if err == nil {
		err = json.Unmarshal(file, &goals)
	}
	if err != nil {
		return err
	}
	m, g := score.Metrics, goals[task]
	fmt.Fprintf(out, "| %s | %.0f | %.3f | %v, %v | %.3f | %v, %v | %.1f | %v to %v | %s | %s | %s |\n", task, m["n"],
		m["mae"], g["mae"].Must, g["mae"].Stretch, m["pinball"], g["pinball"].Must, g["pinball"].Stretch,
		m["cov80"], g["cov80"].Band[0], g["cov80"].Band[1],
		beside(m, "worst_cov80", g["worst_cov80"].Min), beside(m, "late_p90", g["late_p90"].Must), beside(m, "worst_late", g["worst_late"].Must))
	for k, v := range score.Goals {
		if v != "PASS" && v != "STRETCH" {
			fmt.Fprintf(out, "%s %s %s\n", task, k, v)
		}
	}
	return nil
}

// beside is a metric with its goal, if any.
func beside(m map[string]float64, name string, goal float64) string {
	v, ok := m[name]
	switch {
	case !ok:
		return ""
	case goal == 0:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.1f (%v)", v, goal)
}
