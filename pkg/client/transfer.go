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

// Format is the format of an import or export.
type Format string

// The formats: NDJSON has couriers and whole histories, CSV one order per row.
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

// ImportReport is a report during an import: a rejected row or the progress.
type ImportReport struct {
	// Line is the first line of a rejected row or, in a tally, the last line processed.
	// Lines count from 1.
	Line  int64        `json:"line"`
	Error *ImportError `json:"error,omitempty"`
	*ImportTally
}

// ImportTally counts rows since the import began.
type ImportTally struct {
	Read    int64 `json:"read"`
	Created int64 `json:"created"`
	Known   int64 `json:"known"` // already present and identical
	Failed  int64 `json:"failed"`
	// Finished reports that every row was processed.
	Finished bool `json:"finished"`
}

// ImportError is the reason why a row was rejected or an import stopped.
type ImportError struct {
	Code   string  `json:"code"`
	Detail string  `json:"detail"`
	Errors []Fault `json:"errors,omitempty"`
}

// Error returns the detail and the faults of the fields.
func (e *ImportError) Error() string {
	return (&Problem{Code: e.Code, Detail: e.Detail, Errors: e.Errors}).Error()
}

// FirstLine sets the number of an import's first line (in CSV, after the header) when
// earlier lines were sent in another call.
func FirstLine(n int64) CallOption {
	return func(k *call) {
		if k.query == nil {
			k.query = url.Values{}
		}
		k.query.Set("first_line", strconv.FormatInt(n, 10))
	}
}

// ErrImportCut is returned when the connection breaks during an import: reported rows
// are done, and the rest can be sent again.
var ErrImportCut = errors.New("the connection broke before the import was finished")

// Import sends rows and yields the server's reports, each rejected row once, in the
// order of the file. The last report has a Finished tally; otherwise an error ends the
// iteration: *ImportError if the server stopped, ErrImportCut, or a *Problem that rejects
// the whole import, such as forbidden and unsupported_media_type. It is never retried
// automatically. With an IdempotencyKey, rows with neither id nor external_id are
// imported once however often they are sent.
func (c *Client) Import(ctx context.Context, rows io.Reader, format Format, opts ...CallOption) iter.Seq2[ImportReport, error] {
	return func(yield func(ImportReport, error) bool) {
		if err := c.importRows(ctx, rows, format, opts, yield); err != nil {
			yield(ImportReport{}, err)
		}
	}
}

// importRows also returns nil when the reader stops.
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
	defer cancel() // a reader that stops ends the import
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
		reply, _ := io.ReadAll(io.LimitReader(resp.Body, maxReply)) // even a truncated error response has its status
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

// Export writes every order that matches the filter to w, newest first; without a
// filter, also every courier. After an error the output is incomplete. Errors: forbidden,
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
