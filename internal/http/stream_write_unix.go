//go:build unix

package httpserver

import (
	"errors"
	"syscall"
)

// writeFD writes what a non-blocking file descriptor accepts at once.
func writeFD(fd uintptr, data []byte) (int, error) {
	for taken := 0; ; {
		n, err := syscall.Write(int(fd), data[taken:])
		switch {
		case errors.Is(err, syscall.EINTR):
			continue
		case errors.Is(err, syscall.EAGAIN):
			return taken, nil
		case err != nil:
			return taken, err
		}
		if taken += n; taken == len(data) || n == 0 {
			return taken, nil
		}
	}
}
