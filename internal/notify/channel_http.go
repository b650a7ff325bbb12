package notify

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"
)

// ask makes one request of a channel and judges its status: 429 and 5xx pass, other errors do
// not. The answer's beginning is returned. Addresses may hold secrets, so that errors do not name them.
func ask(ctx context.Context, client *http.Client, method, url string, header http.Header, body string) (answer []byte, out Outcome) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, url, strings.NewReader(body))
	if err != nil {
		return nil, Outcome{Err: errors.New("the address is not valid"), final: true}
	}
	req.Header = header
	resp, err := client.Do(req)
	if err != nil {
		return nil, Outcome{Err: reason(err)}
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	out = Outcome{code: resp.StatusCode, after: retryAfter(resp.Header.Get("Retry-After"), time.Now())}
	switch {
	case resp.StatusCode/100 == 2 && err != nil:
		out.Err = errors.New("the answer broke off")
	case resp.StatusCode/100 != 2:
		out.Err = fmt.Errorf("answered %d", resp.StatusCode)
		out.final = resp.StatusCode/100 == 4 && resp.StatusCode != http.StatusTooManyRequests && resp.StatusCode != http.StatusRequestTimeout
	}
	return answer, out
}

// askJSON is ask with JSON both ways. What is no JSON is no answer of the provider's.
func askJSON(ctx context.Context, client *http.Client, url string, header http.Header, in, answer any) Outcome {
	body, err := json.Marshal(in)
	if err != nil {
		return Outcome{Err: err, final: true}
	}
	header.Set("Content-Type", "application/json")
	text, out := ask(ctx, client, http.MethodPost, url, header, string(body))
	if err := json.Unmarshal(text, answer); err != nil && out.Err == nil {
		out.Err = errors.New("the answer is not the provider's")
	}
	return out
}
