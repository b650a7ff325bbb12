package dispatch

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// invented writes a day of so many orders, of those placed before minute end, and returns its folder.
func invented(t *testing.T, orders, end int) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "day")
	require.NoError(t, os.Mkdir(dir, 0o750))
	rng := rand.New(rand.NewPCG(5, 6))
	files := map[string]*strings.Builder{}
	line := func(file, format string, args ...any) {
		if files[file] == nil {
			files[file] = &strings.Builder{}
		}
		fmt.Fprintf(files[file], strings.ReplaceAll(format, " ", "\t")+"\n", args...)
	}
	files["instance_parameters.txt"] = &strings.Builder{}
	files["instance_parameters.txt"].WriteString("meters_per_minute\tpickup service minutes\tdropoff service minutes\n400\t4\t4\n")
	line("restaurants.txt", "restaurant x y")
	line("couriers.txt", "courier x y on_time off_time")
	line("orders.txt", "order x y placement_time restaurant ready_time")
	place := func() int { return rng.IntN(6000) }
	for n := range 5 {
		line("restaurants.txt", "r%d %d %d", n, place(), place())
		line("couriers.txt", "c%d %d %d %d %d", n, place(), place(), 10*n, 320+10*n)
	}
	for n := range orders {
		if x, y, placed, r, wait := place(), place(), rng.IntN(180), rng.IntN(5), rng.IntN(25); placed < end {
			line("orders.txt", "o%d %d %d %d r%d %d", n, x, y, placed, r, placed+wait)
		}
	}
	for name, text := range files {
		require.NoError(t, os.WriteFile(filepath.Join(dir, name), []byte(text.String()), 0o600))
	}
	return dir
}

// played plays a day and returns the lines of its plan.
func played(t *testing.T, dir string) []string {
	t.Helper()
	out := filepath.Join(t.TempDir(), "plans")
	require.Zero(t, Main(t.Context(), []string{"--instances", filepath.Dir(dir), "--out", out}))
	text, err := os.ReadFile(filepath.Join(out, "day.tsv"))
	require.NoError(t, err)
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	require.Equal(t, "decided_at\tcourier\torders", lines[0])
	return lines[1:]
}

func TestADayIsPlayedToItsEnd(t *testing.T) {
	lines := played(t, invented(t, 40, 180))
	orders := map[string]int{}
	for _, l := range lines {
		for _, id := range strings.Split(strings.Split(l, "\t")[2], ",") {
			orders[id]++
		}
	}
	require.Len(t, orders, 40)
	for id, times := range orders {
		require.Equal(t, 1, times, id)
	}
}

// Decisions up to a time do not depend on orders placed later.
func TestTheFutureIsNotKnown(t *testing.T) {
	const end = 90
	whole, cut := played(t, invented(t, 40, 180)), played(t, invented(t, 40, end+1))
	until := func(lines []string) (out []string) {
		for _, l := range lines {
			at, err := strconv.ParseFloat(strings.Split(l, "\t")[0], 64)
			require.NoError(t, err)
			if at <= end {
				out = append(out, l)
			}
		}
		return out
	}
	require.NotEmpty(t, until(cut))
	require.Equal(t, until(cut), until(whole))
	require.Greater(t, len(whole), len(cut))
}

// The whole product delivers every order, about as soon as the planner alone says.
func TestADayThroughTheProduct(t *testing.T) {
	dir := invented(t, 12, 180)
	require.Zero(t, Main(t.Context(), []string{"--instances", filepath.Dir(dir), "--live", "day"}))
}

func TestBadDaysAreRefused(t *testing.T) {
	for name, c := range map[string]struct{ file, text string }{
		"no number":        {"orders.txt", "order\tx\ty\tplacement_time\trestaurant\tready_time\no1\t1\tnan\t3\tr0\t5\n"},
		"no restaurant":    {"orders.txt", "order\tx\ty\tplacement_time\trestaurant\tready_time\no1\t1\t2\t3\tr99\t5\n"},
		"a column missing": {"couriers.txt", "courier\tx\ty\ton_time\nc1\t1\t2\t3\n"},
		"no speed":         {"instance_parameters.txt", "meters_per_minute\tpickup service minutes\tdropoff service minutes\n0\t4\t4\n"},
		"ragged":           {"restaurants.txt", "restaurant\tx\ty\nr0\t1\n"},
		"empty":            {"restaurants.txt", ""},
	} {
		t.Run(name, func(t *testing.T) {
			dir := invented(t, 3, 180)
			require.NoError(t, os.WriteFile(filepath.Join(dir, c.file), []byte(c.text), 0o600))
			require.Equal(t, 1, Main(t.Context(), []string{"--instances", filepath.Dir(dir), "--out", t.TempDir()}))
		})
	}
	require.Equal(t, 1, Main(t.Context(), []string{"--instances", t.TempDir(), "--out", t.TempDir()}))
	require.Equal(t, 1, Main(t.Context(), nil))
}
