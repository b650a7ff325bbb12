package carrier

import (
	"context"
	"encoding/base64"
	"net/http"
)

// Auth authenticates calls to a company.
type Auth interface {
	// Header returns the authentication headers.
	Header(ctx context.Context) (http.Header, error)
	// Refused is called when the company rejected the headers; it reports whether the next
	// ones will differ.
	Refused(signature http.Header) bool
}

// Fixed are constant headers, such as an account's key.
type Fixed http.Header

// Header returns the headers.
func (f Fixed) Header(context.Context) (http.Header, error) { return http.Header(f), nil }

// Refused returns false: there are no other headers.
func (f Fixed) Refused(http.Header) bool { return false }

// Bearer returns the header of RFC 6750.
func Bearer(token string) http.Header { return http.Header{"Authorization": {"Bearer " + token}} }

// Basic returns the header of RFC 7617.
func Basic(user, password string) http.Header {
	return http.Header{"Authorization": {"Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))}}
}
