// Package proc builds the product and runs it as a separate process, for benchmarks and
// fault injection.
package proc

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Build compiles the product into dir, as it is released (see the Makefile), and returns the
// binary's path. It works anywhere in the project.
func Build(ctx context.Context, dir string) (string, error) {
	bin := filepath.Join(dir, "order-tracking")
	cmd := exec.CommandContext(ctx, "go", "build", "-tags", "grpcnotrace,nomsgpack", "-ldflags", "-s -w", "-o", bin, "github.com/order-tracking/order-tracking/cmd")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("go build: %w\n%s", err, out)
	}
	return bin, nil
}

// Server is a running server.
type Server struct {
	Bin  string
	Dir  string   // its data; kept over restarts
	Env  []string // beside the addresses and the data
	HTTP string   // host:port
	GRPC string
	// Kafka is the embedded broker, host:port; unused if Env has KAFKA_BROKERS.
	Kafka string

	cmd    *exec.Cmd
	exited chan struct{}
	log    bytes.Buffer
}

// New describes a server on free loopback ports that keeps its data in dir.
func New(bin, dir string, env ...string) (*Server, error) {
	s := &Server{Bin: bin, Dir: dir, Env: env}
	for _, addr := range []*string{&s.HTTP, &s.GRPC, &s.Kafka} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, err
		}
		defer func() { _ = l.Close() }() // only reserved until all are known
		*addr = l.Addr().String()
	}
	return s, nil
}

// Start runs the server, waits until it is ready and returns how long that took.
func (s *Server) Start(ctx context.Context) (time.Duration, error) {
	s.log.Reset()
	s.cmd = exec.Command(s.Bin)
	s.cmd.Env = append(os.Environ(),
		"HTTP_ADDR="+s.HTTP, "GRPC_ADDR="+s.GRPC, "KAFKA_LISTEN="+s.Kafka,
		"DATABASE_URL=sqlite://"+filepath.Join(s.Dir, "orders.db"), "OT_KAFKA__DIR="+filepath.Join(s.Dir, "kafka"))
	s.cmd.Env = append(s.cmd.Env, s.Env...)
	s.cmd.Stderr = &s.log
	begun := time.Now()
	if err := s.cmd.Start(); err != nil {
		return 0, err
	}
	s.exited = make(chan struct{})
	go func() { _ = s.cmd.Wait(); close(s.exited) }() // how it ended is read from the process state
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+s.HTTP+"/readyz", nil)
		if err != nil {
			return 0, err
		}
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_ = resp.Body.Close()
			if resp.StatusCode == http.StatusOK {
				return time.Since(begun), nil
			}
		}
		select {
		case <-s.exited:
			return 0, fmt.Errorf("the server ended: %s\n%s", s.cmd.ProcessState, s.log.String())
		case <-ctx.Done():
			return 0, errors.Join(ctx.Err(), s.Kill())
		case <-time.After(2 * time.Millisecond):
		}
	}
}

// Kill ends the server with SIGKILL, like a power cut.
func (s *Server) Kill() error { return s.signal(syscall.SIGKILL) }

// Stop asks the server to stop and waits until it has.
func (s *Server) Stop() error { return s.signal(syscall.SIGTERM) }

// Signal sends a signal and does not wait.
func (s *Server) Signal(sig syscall.Signal) error { return s.cmd.Process.Signal(sig) }

func (s *Server) signal(sig syscall.Signal) error {
	err := s.cmd.Process.Signal(sig)
	<-s.exited
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

// Log returns the server's stderr; call it after the server has ended.
func (s *Server) Log() string { return s.log.String() }

// CPU returns the server's user and system time.
func (s *Server) CPU() (time.Duration, error) { return CPU(s.cmd.Process.Pid) }

// RSS is the server's resident memory in bytes.
func (s *Server) RSS() (int64, error) { return RSS(s.cmd.Process.Pid) }

// CPU is the user and system time of a process (proc(5), fields 14 and 15 of stat;
// Linux counts them in hundredths of a second).
func CPU(pid int) (time.Duration, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, err
	}
	fields := strings.Fields(string(text[bytes.LastIndexByte(text, ')')+1:]))
	var ticks int64
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond, nil
}

// RSS is the resident memory of a process in bytes (proc(5), VmRSS of status).
func RSS(pid int) (int64, error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return 0, err
	}
	for line := range strings.Lines(string(text)) {
		if rest, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
			return kb << 10, err
		}
	}
	return 0, errors.New("no VmRSS")
}
