package client

import (
	"errors"
	"io"
	"sync"
)

// sending is a body that keeps its read error: the HTTP client's own error is less
// specific.
type sending struct {
	io.Reader
	mu  sync.Mutex
	err error
}

// Read reads and records an error.
func (s *sending) Read(p []byte) (int, error) {
	n, err := s.Reader.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		s.mu.Lock()
		s.err = err
		s.mu.Unlock()
	}
	return n, err
}

func (s *sending) failed() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}
