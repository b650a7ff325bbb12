package client

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"
	"net/http"
	"net/url"
	"strconv"
)

// Format is what the rows of an import or export are.
type Format string

// The formats: NDJSON has couriers and whole histories, CSV an order a row.
const (
	NDJSON Format = "ndjson"
	CSV    Format = "csv"
)

func (f Format) mediaType() (string, error) {
	switch f {
	case NDJSON:
		return "application/x-ndjson", nil
	case CSV:
		return "text/csv", nil
	}
	return "", fmt.Errorf("unknown format %q", string(f))
}

// ImportReport is what the server says while it imports: a refused row, or how far it is.
type ImportReport struct {
	// Line is, of an error, the line that the row begins in; of a tally, the last line
	// that is decided. Lines count from 1.
	Line  int64        `json:"line"`
	Error *ImportError `json:"error,omitempty"`
	*ImportTally
}

// ImportTally counts rows since the import began.
type ImportTally struct {
	Read    int64 `json:"read"`
	Created int64 `json:"created"`
	Known   int64 `json:"known"` // there already, and the same
	Failed  int64 `json:"failed"`
	// Finished says that every row was decided.
	Finished bool `json:"finished"`
}

// ImportError says why a row was refused or why an import stopped.
type ImportError struct {
	Code   string  `json:"code"`
	Detail string  `json:"detail"`
	Errors []Fault `json:"errors,omitempty"`
}

// Error returns the detail and what is wrong with each field.
func (e *ImportError) Error() string {
	return (&Problem{Code: e.Code, Detail: e.Detail, Errors: e.Errors}).Error()
}

// FirstLine says which number the first line of an import has, of CSV after the
// header, when those before it were sent in an earlier call.
func FirstLine(n int64) CallOption {
	return func(k *call) {
		if k.query == nil {
			k.query = url.Values{}
		}
		k.query.Set("first_line", strconv.FormatInt(n, 10))
	}
}

// ErrImportCut says that the connection broke before the import was finished: what was
// reported is done, and the rest can be sent again.
var ErrImportCut = errors.New("the connection broke before the import was finished")

// Import sends rows and yields what the server reports meanwhile, each refused row
// once, in the order of the file. The last report has a tally that is Finished; anything
// else ends with an error: *ImportError when the server stopped, ErrImportCut, or a
// refusal of the whole, such as forbidden and unsupported_media_type. It is never
// repeated by itself. With an IdempotencyKey rows that have neither id nor external_id
// come once however often they are sent.
func (c *Client) Import(ctx context.Context, rows io.Reader, format Format, opts ...CallOption) iter.Seq2[ImportReport, error] {
	return func(yield func(ImportReport, error) bool) {
		if err := c.importRows(ctx, rows, format, opts, yield); err != nil {
			yield(ImportReport{}, err)
		}
	}
}

// importRows returns nil also when the reader has enough.
func (c *Client) importRows(
	ctx context.Context, rows io.Reader, format Format, opts []CallOption, yield func(ImportReport, error) bool,
) error {
	media, err := format.mediaType()
	if err != nil {
		return err
	}
	k, err := newCall(http.MethodPost, "/orders/import", nil, opts)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel() // a reader that has enough ends the import
	req, err := c.request(ctx, k)
	if err != nil {
		return err
	}
	sent := &sending{Reader: rows}
	req.Body = io.NopCloser(sent)
	req.Header.Set("Content-Type", media)
	resp, err := c.http.Do(req)
	if err != nil {
		return firstOf(sent.failed(), err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		reply, _ := io.ReadAll(io.LimitReader(resp.Body, maxReply)) // a refusal that was cut short still has its status
		return problemOf(resp, reply)
	}
	lines := bufio.NewReader(resp.Body)
	for {
		var report ImportReport
		line, err := readLine(lines)
		if err == nil {
			err = json.Unmarshal(line, &report)
		}
		switch {
		case err != nil:
			return firstOf(sent.failed(), ctx.Err(), fmt.Errorf("%w: %w", ErrImportCut, err))
		case report.ImportTally != nil && report.Error != nil:
			if cause := sent.failed(); cause != nil {
				return cause
			}
			if !yield(ImportReport{Line: report.Line, ImportTally: report.ImportTally}, nil) {
				return nil
			}
			return report.Error
		case !yield(report, nil) || report.ImportTally != nil && report.Finished:
			return nil
		}
	}
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// Export writes every order of the filter to w, newest first; without one, every
// courier too. What was written before an error is not complete. Refusals: forbidden,
// validation_failed.
func (c *Client) Export(ctx context.Context, format Format, f OrderFilter, w io.Writer, opts ...CallOption) error {
	if _, err := format.mediaType(); err != nil {
		return err
	}
	k, err := newCall(http.MethodGet, "/orders/export", nil, opts)
	if err != nil {
		return err
	}
	f.PageSize = 0
	k.query = f.query()
	k.query.Set("format", string(format))
	k.header.Set("Accept", "*/*")
	req, err := c.request(ctx, k)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		reply, _ := io.ReadAll(io.LimitReader(resp.Body, maxReply))
		return problemOf(resp, reply)
	}
	if _, err := io.Copy(w, resp.Body); err != nil {
		return fmt.Errorf("the export is not complete: %w", err)
	}
	return nil
}
