package cli

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/google/uuid"
	"github.com/schollz/progressbar/v3"
	"github.com/spf13/cobra"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// shownErrors limits the rejected rows that are printed; a report file has all.
const shownErrors = 20

func importCommand(e *env) *cobra.Command {
	in := &importing{}
	cmd := &cobra.Command{
		Use: "import FILE|-", Short: "Import orders and couriers from an export or a spreadsheet",
		Long: `Takes over orders and couriers from a file of the formats that export writes. Rows that
can't be taken are reported with their line; the others are kept. Rows that are there
already and are the same are left alone, so an import that broke off can be run again. With
--resume it goes on where it was, and rows without an id or external id don't come twice:
also when refused rows are corrected, each on its lines, and the file is imported again.`,
	}
	in.remote = e.remoteFlags(cmd)
	fs := cmd.Flags()
	fs.StringVar(&in.format, "format", "", "`format`: ndjson or csv; default: by the file name")
	completeFlag(cmd, "format", "ndjson", "csv")
	fs.StringVar(&in.resume, "resume", "", "`FILE` that remembers how far the import is; deleted when every row is taken")
	fs.StringVar(&in.report, "report", "", "`FILE` for all rejected rows, as NDJSON; by default the first ones are printed")
	return in.on(cmd, nil, func(ctx context.Context, c *client.Client, args []string) error { return in.run(ctx, c, args[0]) })
}

// importing is the state of a running import command.
type importing struct {
	*remote
	format, resume, report string

	state   importState
	started time.Time
	saved   time.Time
	bar     *progressbar.ProgressBar
	pace    pace
	refused io.Writer
	held    []client.ImportReport // rejected rows not yet covered by the saved state
	shown   int64
}

// importState is the saved state of an interrupted import.
type importState struct {
	File string `json:"file"`
	Size int64  `json:"size"`
	Key  string `json:"key"`
	Line int64  `json:"line"` // everything up to it is processed
	// Began is when the first row was sent, Lines the number of lines in the file; they
	// are for a file that is imported again because rows were rejected.
	Began time.Time `json:"began"`
	Lines int64     `json:"lines"`
	client.ImportTally
}

func (in *importing) run(ctx context.Context, c *client.Client, file string) error {
	rows, size, err := in.open(file)
	if err != nil {
		return err
	}
	defer rows.Close() //nolint:errcheck // only read
	if err := in.load(file, size); err != nil {
		return err
	}
	if in.report != "" {
		mode := os.O_TRUNC
		if in.state.Line > 0 {
			mode = os.O_APPEND // an earlier part of the same import wrote to it
		}
		f, err := os.OpenFile(in.report, os.O_CREATE|os.O_WRONLY|mode, 0o600)
		if err != nil {
			return err
		}
		defer f.Close() //nolint:errcheck // each row was written at once
		in.refused = f
	}
	in.bar = in.progress(size, "importing")
	format := formatOf(in.format, file)
	body, err := in.skip(io.TeeReader(rows, &in.pace), format)
	if err != nil {
		return err
	}
	before := in.state.ImportTally
	in.started = time.Now()
	opts := []client.CallOption{client.IdempotencyKey(in.state.Key)}
	if in.state.Line > 0 {
		opts = append(opts, client.FirstLine(in.state.Line+1))
	}
	for report, importErr := range c.Import(ctx, body, format, opts...) {
		if err = importErr; err == nil {
			err = in.take(report, before)
		}
		if err != nil {
			break
		}
	}
	_ = in.bar.Finish()
	return in.end(err)
}

func (in *importing) open(file string) (io.ReadCloser, int64, error) {
	if file == "-" {
		if in.resume != "" {
			return nil, 0, usagef("--resume needs a file that can be read again, not the standard input")
		}
		return io.NopCloser(in.stdin), -1, nil
	}
	f, err := os.Open(file) //nolint:gosec // the caller names the file
	if err != nil {
		return nil, 0, err
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return f, -1, err
	}
	return f, info.Size(), nil
}

// load reads the saved state or starts afresh.
func (in *importing) load(file string, size int64) error {
	if abs, err := filepath.Abs(file); err == nil {
		file = abs
	}
	in.state = importState{File: file, Size: size, Key: uuid.NewString(), Began: time.Now()}
	if in.resume == "" {
		return nil
	}
	text, err := os.ReadFile(in.resume)
	if errors.Is(err, os.ErrNotExist) {
		if in.state.Lines, err = countLines(file); err != nil {
			return err
		}
		return in.save()
	}
	var state importState
	if err == nil {
		err = json.Unmarshal(text, &state)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%s: %w", in.resume, err)
	case state.Finished && state.File == file:
		if err := state.again(file, time.Now()); err != nil {
			return fmt.Errorf("%s: %w", in.resume, err)
		}
		state.Size = size
	case state.File != file || state.Size != size || state.Key == "":
		return fmt.Errorf("%s remembers the import of another file: %s of %d bytes", in.resume, state.File, state.Size)
	}
	in.state = state
	if state.Finished {
		in.state.Line, in.state.ImportTally = 0, client.ImportTally{} // start over under the same key
	}
	return nil
}

// rememberedFor is safely below the 24 hours for which a server remembers the rows of a key.
const rememberedFor = 23 * time.Hour

// again checks that a file with rejected rows has kept the other rows on their lines:
// rows without ids are identified by line.
func (s *importState) again(file string, now time.Time) error {
	if now.Sub(s.Began) > rememberedFor {
		return fmt.Errorf("its rows came more than %s ago, and would come twice; import those that were refused from a file of their own", rememberedFor)
	}
	lines, err := countLines(file)
	if err == nil && lines != s.Lines {
		err = fmt.Errorf("%s has %d lines and had %d; correct refused rows on their lines, or leave these empty", file, lines, s.Lines)
	}
	return err
}

func countLines(file string) (int64, error) {
	f, err := os.Open(file) //nolint:gosec // the caller names the file
	if err != nil {
		return 0, err
	}
	defer f.Close() //nolint:errcheck // only read
	var p pace
	_, err = io.Copy(&p, f)
	return p.lines.Load(), err
}

// save stores the import's progress and reports the rejected rows up to there; later
// ones will be rejected again.
func (in *importing) save() error {
	in.saved = time.Now()
	if err := in.reportRefused(); err != nil || in.resume == "" {
		return err
	}
	return writeWhole(in.resume, func(w io.Writer) error { return json.NewEncoder(w).Encode(in.state) })
}

// skip skips the lines already processed, except a CSV header.
func (in *importing) skip(r io.Reader, format client.Format) (io.Reader, error) {
	if in.state.Line == 0 {
		return r, nil
	}
	lines := bufio.NewReaderSize(r, 1<<20)
	var header []byte
	for n := range in.state.Line {
		line, err := lines.ReadBytes('\n')
		if err != nil && (len(line) == 0 || !errors.Is(err, io.EOF)) { // the last line may lack its end
			return nil, fmt.Errorf("the file ends before line %d, up to which it was imported: %w", in.state.Line, err)
		}
		if n == 0 && format == client.CSV {
			header = line
		}
	}
	return io.MultiReader(bytes.NewReader(header), lines), nil
}

// take shows and saves the server's report. before is the tally of earlier parts of
// the import.
func (in *importing) take(r client.ImportReport, before client.ImportTally) error {
	if r.Error != nil {
		in.held = append(in.held, r)
		return nil
	}
	in.state.Line = r.Line
	in.state.ImportTally = client.ImportTally{
		Read: before.Read + r.Read, Created: before.Created + r.Created, Known: before.Known + r.Known,
		Failed: before.Failed + r.Failed, Finished: r.Finished,
	}
	rate := float64(r.Read) / max(time.Since(in.started).Seconds(), 1e-3)
	_ = in.bar.Set64(in.pace.upTo(r.Line))
	in.bar.Describe(fmt.Sprintf("%d rows, %.0f a second, %d refused", in.state.Read, rate, in.state.Failed))
	if in.resume != "" && time.Since(in.saved) < time.Second && !r.Finished {
		return nil
	}
	return in.save()
}

// reportRefused reports the rows whose rejection is final.
func (in *importing) reportRefused() error {
	for len(in.held) > 0 && (in.held[0].Line <= in.state.Line || in.resume == "") {
		if err := in.refuse(in.held[0]); err != nil {
			return err
		}
		in.held = in.held[1:]
	}
	return nil
}

func (in *importing) refuse(r client.ImportReport) error {
	if in.refused != nil {
		return json.NewEncoder(in.refused).Encode(struct {
			Line  int64               `json:"line"`
			Error *client.ImportError `json:"error"`
		}{r.Line, r.Error})
	}
	if in.shown++; in.shown > shownErrors {
		return nil
	}
	_ = in.bar.Clear()
	text := fmt.Sprintf("line %d: %v", r.Line, explain(r.Error))
	if in.shown == shownErrors {
		text += "\n… more are not shown; --report FILE has all"
	}
	_, err := fmt.Fprintln(in.stderr, text)
	return err
}

// end prints the result.
func (in *importing) end(err error) error {
	s := in.state
	var refusal *client.Problem
	if s.Line == 0 && errors.As(err, &refusal) {
		return err // the whole import was rejected before any row
	}
	if in.json {
		err = cmp.Or(err, in.printJSON(s.ImportTally))
	} else {
		_, _ = fmt.Fprintf(in.stdout, "%d rows read: %d created, %d known, %d refused\n", s.Read, s.Created, s.Known, s.Failed)
	}
	switch {
	case err != nil:
		err = errors.Join(err, in.save())
		hint := "run it again; what is there already is left alone"
		if in.resume != "" {
			hint = "run it again with the same --resume to go on"
		}
		return fmt.Errorf("the import broke off after line %d: %w; %s", s.Line, err, hint)
	case in.resume != "" && s.Failed == 0:
		if err := os.Remove(in.resume); err != nil {
			return err
		}
	}
	if s.Failed > 0 {
		hint := ""
		if in.resume != "" {
			hint = "; correct them on their lines and run it again with the same --resume"
		}
		return exitError{fmt.Errorf("%d rows were refused%s", s.Failed, hint), exitRefused}
	}
	return nil
}
