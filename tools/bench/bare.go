//go:build unix

package main

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"sync"
	"syscall"
	"time"

	"github.com/lxzan/gws"

	"github.com/order-tracking/order-tracking/tools/proc"
)

// bareSockets is the other side of the benchmarks of push: a server of the same kind of
// WebSockets that has no hub. What is posted to /publish becomes one prepared frame,
// which is written to one socket after the other, once or ?times= at ?per_second=.
type bareSockets struct {
	gws.BuiltinEventHandler
	mu    sync.Mutex
	conns []net.Conn
}

func (b *bareSockets) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/publish" {
		b.upgrade(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	frame := prepared(body)
	times, _ := strconv.Atoi(r.FormValue("times")) // 0, when it is not there
	perSecond, _ := strconv.ParseFloat(r.FormValue("per_second"), 64)
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, p := 0, newPace(perSecond, 0, 1); i < max(1, times) && p.wait(r.Context()); i++ {
		for _, c := range b.conns {
			if _, err := c.Write(frame); err != nil {
				http.Error(w, err.Error(), http.StatusInternalServerError)
				return
			}
		}
	}
	w.WriteHeader(http.StatusNoContent)
}

func (b *bareSockets) upgrade(w http.ResponseWriter, r *http.Request) {
	up := gws.NewUpgrader(b, &gws.ServerOption{ReadBufferSize: 512, ParallelGolimit: 1})
	conn, err := up.Upgrade(w, r)
	if err != nil {
		return // the client sees it
	}
	if conn.WriteString(`{"type":"snapshot"}`) != nil {
		return
	}
	b.mu.Lock()
	b.conns = append(b.conns, conn.NetConn())
	b.mu.Unlock()
	go conn.ReadLoop()
}

// prepared is a whole WebSocket frame of a text.
func prepared(text []byte) []byte {
	frame := []byte{0x80 | opText, byte(len(text))}
	switch {
	case len(text) > 0xffff:
		frame = binary.BigEndian.AppendUint64([]byte{0x80 | opText, 127}, uint64(len(text)))
	case len(text) > 125:
		frame = binary.BigEndian.AppendUint16([]byte{0x80 | opText, 126}, uint16(len(text)))
	}
	return append(frame, text...)
}

// serveBareSockets is the process.
func serveBareSockets() {
	s := &http.Server{Addr: os.Args[len(os.Args)-1], Handler: &bareSockets{}, ReadHeaderTimeout: time.Minute}
	if err := s.ListenAndServe(); err != nil {
		panic(err)
	}
}

// bareServer is that process, seen from here.
type bareServer struct {
	addr string
	cmd  *exec.Cmd
}

func startBare(ctx context.Context) (*bareServer, error) {
	place, err := proc.New("", "")
	if err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	b := &bareServer{place.HTTP, exec.CommandContext(ctx, self, "bare-sockets", place.HTTP)}
	b.cmd.Stderr = os.Stderr
	if err := b.cmd.Start(); err != nil {
		return nil, err
	}
	if err := reachable(ctx, b.addr); err != nil {
		b.stop()
		return nil, err
	}
	return b, nil
}

func (b *bareServer) stop() {
	_ = b.cmd.Process.Signal(syscall.SIGKILL)
	_ = b.cmd.Wait()
}

// CPU is the user and system time that the process has used.
func (b *bareServer) CPU() (time.Duration, error) { return proc.CPU(b.cmd.Process.Pid) }

// publish writes a message to every socket the given number of times.
func (b *bareServer) publish(ctx context.Context, body string, times, perSecond int) error {
	return call(ctx, http.MethodPost, fmt.Sprintf("http://%s/publish?times=%d&per_second=%d", b.addr, times, perSecond), body)
}

// raiseFiles lets this process and those that it starts open as many files as they may.
func raiseFiles(want uint64) error {
	var l syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return err
	}
	if l.Cur >= want {
		return nil
	}
	l.Cur, l.Max = want, max(l.Max, want)
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &l); err != nil {
		return errors.Join(fmt.Errorf("%d open files are needed: ulimit -n", want), err)
	}
	return nil
}
