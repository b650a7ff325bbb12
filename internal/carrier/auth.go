package carrier

import (
	"context"
	"encoding/base64"
	"net/http"
)

// Auth signs calls.
type Auth interface {
	// Header returns the headers that prove who calls.
	Header(ctx context.Context) (http.Header, error)
	// Refused is told that a company did not accept the headers, and says whether the
	// next ones will be others.
	Refused(signature http.Header) bool
}

// Fixed are headers that never change, such as an account's key.
type Fixed http.Header

// Header returns the headers.
func (f Fixed) Header(context.Context) (http.Header, error) { return http.Header(f), nil }

// Refused says that there are no others.
func (f Fixed) Refused(http.Header) bool { return false }

// Bearer is the header of RFC 6750.
func Bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// Basic is the header of RFC 7617.
func Basic(user, password string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}}
}
