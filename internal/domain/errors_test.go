package domain

import (
	"errors"
	"fmt"
	"testing"
)

func TestExplainedSaysEveryCauseOnce(t *testing.T) {
	full := errors.New("disk full")
	inner := Unavailable("the database", fmt.Errorf("commit: %w", full))
	outer := fmt.Errorf("order 5: %w", Unavailable("the service", inner))
	const want = "order 5: the service is unavailable: the database is unavailable: commit: disk full"
	once := Explained(outer)
	if once.Error() != want {
		t.Errorf("got %q", once)
	}
	if twice := Explained(once); twice.Error() != want {
		t.Errorf("twice: %q", twice)
	}
	if !errors.Is(once, full) || CodeOf(once) != CodeUnavailable {
		t.Error("what it is and why are kept")
	}
	for _, plain := range []error{nil, full, Errorf(CodeForbidden, "no")} {
		if got := Explained(plain); got != plain { //nolint:errorlint // the same one
			t.Errorf("%v became %v", plain, got)
		}
	}
	if CodeOf(Internal("a bug", Errorf(CodeOrderNotFound, "no order"))) != CodeInternal {
		t.Error("a cause's code is not the error's")
	}
}
