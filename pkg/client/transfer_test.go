package client_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/pkg/client"
)

// reports collects what an import yields.
func reports(t *testing.T, c *client.Client, rows io.Reader, f client.Format, opts ...client.CallOption) ([]client.ImportReport, error) {
	t.Helper()
	var out []client.ImportReport
	for r, err := range c.Import(t.Context(), rows, f, opts...) {
		if err != nil {
			return out, err
		}
		out = append(out, r)
	}
	return out, nil
}

func TestExportGoesIntoAnotherProduct(t *testing.T) {
	_, from := startProduct(t)
	_, to := startProduct(t)
	ctx := t.Context()
	courier, err := from.CreateCourier(ctx, client.CourierEdit{Name: client.Ptr("Ivan")})
	require.NoError(t, err)
	for _, name := range []string{"A-1", "A-2", "A-3"} {
		o, err := from.CreateOrder(ctx, draft(name))
		require.NoError(t, err)
		_, err = from.AssignCourier(ctx, o.ID, courier.ID)
		require.NoError(t, err)
		_, err = from.UpdateStatus(ctx, o.ID, client.StatusChange{Status: client.StatusPickedUp})
		require.NoError(t, err)
	}
	var file, back bytes.Buffer
	require.NoError(t, from.Export(ctx, client.NDJSON, client.OrderFilter{}, &file))
	got, err := reports(t, to, strings.NewReader(file.String()+"{}\n"), client.NDJSON)
	require.NoError(t, err)
	last := got[len(got)-1]
	require.Equal(t, client.ImportTally{Read: 5, Created: 4, Failed: 1, Finished: true}, *last.ImportTally)
	require.Equal(t, int64(5), got[len(got)-2].Line)
	require.ErrorContains(t, findError(got), "validation_failed: the request is not valid; /customer/name is required")
	require.NoError(t, to.Export(ctx, client.NDJSON, client.OrderFilter{}, &back))
	require.Equal(t, file.String(), back.String())
	back.Reset()
	require.NoError(t, to.Export(ctx, client.CSV, client.OrderFilter{ExternalID: "A-2"}, &back))
	require.Equal(t, 2, strings.Count(back.String(), "\n"))

	err = to.Export(ctx, client.CSV, client.OrderFilter{Statuses: []client.Status{"lost"}}, io.Discard)
	require.Equal(t, client.CodeValidationFailed, client.CodeOf(err))
	_, err = reports(t, to, strings.NewReader("x"), client.CSV)
	require.Equal(t, client.CodeValidationFailed, client.CodeOf(err))
	_, err = reports(t, to, nil, "xml")
	require.ErrorContains(t, err, "xml")
	got, err = reports(t, to, strings.NewReader("{\n"), client.NDJSON, client.FirstLine(7), client.IdempotencyKey("k"))
	require.NoError(t, err)
	require.Equal(t, int64(7), got[0].Line)
}

func findError(reports []client.ImportReport) error {
	for _, r := range reports {
		if r.Error != nil {
			return r.Error
		}
	}
	return nil
}

// failing breaks off after its text.
type failing struct{ text io.Reader }

var errDisk = errors.New("the disk broke")

func (f failing) Read(p []byte) (int, error) {
	n, err := f.text.Read(p)
	if errors.Is(err, io.EOF) {
		err = errDisk
	}
	return n, err
}

func TestImportThatBreaksOff(t *testing.T) {
	_, c := startProduct(t)
	_, err := reports(t, c, failing{strings.NewReader(`{"customer":{"name":"A"},"dropoff":{"address":"x"}}` + "\n")}, client.NDJSON)
	require.ErrorIs(t, err, errDisk)

	answer := ""
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		_, _ = io.WriteString(w, answer)
	}))
	defer s.Close()
	c, err = client.New(s.URL)
	require.NoError(t, err)
	answer = `{"line":3,"read":3,"created":3,"known":0,"failed":0,"finished":false}` + "\n"
	got, err := reports(t, c, strings.NewReader("x"), client.NDJSON)
	require.ErrorIs(t, err, client.ErrImportCut)
	require.Equal(t, int64(3), got[0].Line)
	answer = `{"line":3,"error":{"code":"unavailable","detail":"the database is unavailable"},"read":3,"created":3,"known":0,"failed":0,"finished":false}` + "\n"
	got, err = reports(t, c, strings.NewReader("x"), client.NDJSON)
	var stopped *client.ImportError
	require.ErrorAs(t, err, &stopped)
	require.Equal(t, "unavailable", stopped.Code)
	require.Equal(t, int64(3), got[0].Created)
}

func TestExportThatBreaksOff(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_, _ = io.WriteString(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	}))
	defer s.Close()
	c, err := client.New(s.URL)
	require.NoError(t, err)
	var out bytes.Buffer
	require.ErrorContains(t, c.Export(t.Context(), client.CSV, client.OrderFilter{}, &out), "not complete")
	require.Equal(t, "half", out.String())

	l, err := net.Listen("tcp", "127.0.0.1:0")
	require.NoError(t, err)
	require.NoError(t, l.Close())
	c, err = client.New(l.Addr().String())
	require.NoError(t, err)
	require.Error(t, c.Export(t.Context(), client.CSV, client.OrderFilter{}, &out))
}
