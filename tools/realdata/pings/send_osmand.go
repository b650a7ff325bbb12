package pings

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// osmandSender sends each ping as a phone app does, in its three forms in turn.
type osmandSender struct {
	base   string // http://host:port
	client *http.Client
	within time.Duration
	n      int
	total  sums
}

func (s *osmandSender) sums() sums { return s.total }

func (s *osmandSender) settle(context.Context) error { return nil }

func (s *osmandSender) send(ctx context.Context, c *cab, batch []ping) error {
	for _, p := range batch {
		if err := s.one(ctx, c, p); err != nil {
			return err
		}
	}
	return nil
}

// one sends a ping until the response is 200. The response is always empty: dropped
// positions show only in the metrics.
func (s *osmandSender) one(ctx context.Context, c *cab, p ping) error {
	s.n++
	until := time.Now().Add(s.within)
	for {
		req, err := s.request(ctx, c, p, s.n%3)
		if err != nil {
			return err
		}
		resp, err := s.client.Do(req)
		if err == nil {
			body, readErr := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
			_ = resp.Body.Close()
			switch {
			case resp.StatusCode == http.StatusOK && readErr == nil && len(body) == 0:
				s.total.accepted++
				return nil
			case resp.StatusCode == http.StatusServiceUnavailable:
				s.total.refused++
				err = fmt.Errorf("still %s", resp.Status)
			default:
				return fmt.Errorf("a phone was answered %s with %d bytes: %.200s", resp.Status, len(body), body)
			}
		}
		if time.Now().After(until) {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

func (s *osmandSender) request(ctx context.Context, c *cab, p ping, form int) (*http.Request, error) {
	to := s.base + "/ingest/osmand/" + c.token
	params := url.Values{
		"id": {c.name}, "lat": {strconv.FormatFloat(p.lat, 'f', -1, 64)}, "lon": {strconv.FormatFloat(p.lon, 'f', -1, 64)},
	}
	switch form {
	case 0:
		params.Set("timestamp", strconv.FormatInt(p.at.Unix(), 10))
		return http.NewRequestWithContext(ctx, http.MethodGet, to+"?"+params.Encode(), http.NoBody)
	case 1:
		params.Set("timestamp", strconv.FormatInt(p.at.UnixMilli(), 10))
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(params.Encode()))
		if err == nil {
			req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
		}
		return req, err
	}
	doc, err := json.Marshal(map[string]any{"device_id": c.name, "location": map[string]any{
		"timestamp": p.at.Format("2006-01-02T15:04:05.000Z"),
		"coords":    map[string]any{"latitude": p.lat, "longitude": p.lon, "speed": -1, "heading": -1},
		"battery":   map[string]any{"level": -1},
	}})
	if err != nil {
		return nil, err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, to, strings.NewReader(string(doc)))
	if err == nil {
		req.Header.Set("Content-Type", "application/json")
	}
	return req, err
}
