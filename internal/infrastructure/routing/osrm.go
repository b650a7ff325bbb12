// Package routing queries a road router over the OSRM HTTP API: osrm-routed or anything
// compatible. https://project-osrm.org/docs/v5.24.0/api/
package routing

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// Options configures the router client.
type Options struct {
	URL     string        // such as http://osrm:5000
	Timeout time.Duration // per request; 0 means a second
	Client  *http.Client  // nil means a new one
}

const (
	maxAnswer = 4 << 20 // bytes
	// After this many consecutive failures the router is not called for a while, so that
	// orders don't wait for a router that is down.
	failures = 3
	rest     = 5 * time.Second
)

// OSRM implements domain.Router. It is safe for concurrent use.
type OSRM struct {
	base    string
	timeout time.Duration
	client  *http.Client
	breaker circuitbreaker.CircuitBreaker[any]
}

// New makes a client; it sends no request yet.
func New(o Options) *OSRM {
	if o.Timeout <= 0 {
		o.Timeout = time.Second
	}
	if o.Client == nil {
		o.Client = &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 16, IdleConnTimeout: time.Minute}}
	}
	return &OSRM{
		base: strings.TrimRight(o.URL, "/"), timeout: o.Timeout, client: o.Client,
		breaker: circuitbreaker.NewBuilder[any]().WithFailureThreshold(failures).WithDelay(rest).Build(),
	}
}

// Close closes idle connections.
func (o *OSRM) Close() { o.client.CloseIdleConnections() }

// Table queries the travel times by road from each place to each destination; see domain.Router.
func (o *OSRM) Table(ctx context.Context, from, to []domain.Point) ([][]time.Duration, error) {
	if len(from) == 0 || len(to) == 0 {
		return nil, nil
	}
	path := "/table/v1/driving/" + coordinates(slices.Concat(from, to)) +
		"?annotations=duration&sources=" + numbers(0, len(from)) + "&destinations=" + numbers(len(from), len(to))
	var table struct {
		Durations [][]*float64 `json:"durations"` // seconds; null if there is no route
	}
	if _, err := o.ask(ctx, path, &table); err != nil {
		return nil, err
	}
	if len(table.Durations) != len(from) {
		return nil, away(fmt.Errorf("the table has %d rows of %d", len(table.Durations), len(from)))
	}
	out := make([][]time.Duration, len(from))
	for i, row := range table.Durations {
		if len(row) != len(to) {
			return nil, away(fmt.Errorf("row %d of the table has %d columns of %d", i, len(row), len(to)))
		}
		for _, s := range row {
			d := time.Duration(-1)
			if s != nil {
				if d = seconds(*s); d < 0 {
					return nil, away(fmt.Errorf("a way of %v seconds", *s))
				}
			}
			out[i] = append(out[i], d)
		}
	}
	return out, nil
}

// numbers lists n numbers starting at first, in OSRM's format.
func numbers(first, n int) string {
	out := make([]string, n)
	for i := range out {
		out[i] = strconv.Itoa(first + i)
	}
	return strings.Join(out, ";")
}

// Route queries the fastest route; see domain.Router.
func (o *OSRM) Route(ctx context.Context, through []domain.Point) (*domain.Road, error) {
	var answer struct {
		Routes []struct {
			Duration float64 `json:"duration"` // seconds
			Distance float64 `json:"distance"` // metres
			Geometry string  `json:"geometry"` // a polyline of precision 5
		} `json:"routes"`
	}
	found, err := o.ask(ctx, "/route/v1/driving/"+coordinates(through)+"?overview=full&geometries=polyline", &answer)
	if err != nil || !found {
		return nil, err
	}
	if len(answer.Routes) == 0 {
		return nil, away(errors.New("the answer has no route"))
	}
	r := answer.Routes[0]
	d := seconds(r.Duration)
	if d < 0 || !(r.Distance >= 0) {
		return nil, away(fmt.Errorf("a way of %v seconds and %v metres", r.Duration, r.Distance))
	}
	return &domain.Road{Duration: d, DistanceM: r.Distance, Polyline: r.Geometry}, nil
}

// coordinates formats places for OSRM: longitude first.
func coordinates(points []domain.Point) string {
	return strings.Join(domain.Each(points, func(p domain.Point) string {
		return strconv.FormatFloat(p.Lon, 'f', 6, 64) + "," + strconv.FormatFloat(p.Lat, 'f', 6, 64)
	}), ";")
}

// seconds returns -1 for an invalid duration.
func seconds(s float64) time.Duration {
	const most = 1e7 // a third of a year
	if !(s >= 0 && s <= most) {
		return -1
	}
	return time.Duration(s * float64(time.Second))
}

func away(cause error) error { return domain.Unavailable("the router", cause) }

// ask sends a request; false if the router answers that there is no route.
func (o *OSRM) ask(ctx context.Context, path string, into any) (found bool, err error) {
	if !o.breaker.TryAcquirePermit() {
		return false, away(errors.New("it failed a moment ago"))
	}
	found, err = o.get(ctx, path, into)
	switch {
	case err == nil:
		o.breaker.RecordSuccess()
		return found, nil
	case ctx.Err() != nil: // the caller gave up; that is no failure of the router
		o.breaker.RecordSuccess()
	default:
		o.breaker.RecordFailure()
	}
	return false, away(err)
}

func (o *OSRM) get(ctx context.Context, path string, into any) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, o.timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, o.base+path, http.NoBody)
	if err != nil {
		return false, err
	}
	resp, err := o.client.Do(req)
	if err != nil {
		return false, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return false, err
	}
	var said struct {
		Code    string `json:"code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(body, &said); err != nil {
		return false, fmt.Errorf("%s: %w", resp.Status, err)
	}
	switch said.Code {
	case "Ok":
		return true, json.Unmarshal(body, into)
	case "NoRoute", "NoSegment":
		return false, nil
	}
	return false, fmt.Errorf("%s: %s: %.200s", resp.Status, said.Code, said.Message)
}
