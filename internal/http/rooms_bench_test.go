//go:build unix

package httpserver

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/lxzan/gws"
	"github.com/stretchr/testify/require"

	"github.com/order-tracking/order-tracking/internal/domain"
	"github.com/order-tracking/order-tracking/internal/push"
)

const (
	benchRooms    = 250
	benchRoomSize = 4
)

// BenchmarkRooms publishes statuses to rooms of four WebSockets, alternating between the hub
// and bare writes of prepared frames with the same bytes to as many sockets. Another process
// reads. x-bare is the ratio of deliveries per CPU-second to the bare writes; `make bench`
// runs it.
func BenchmarkRooms(b *testing.B) {
	cfg := testConfig()
	cfg.AccessLog, cfg.PingEvery = false, time.Hour
	d := openWith(b, cfg, guardOf(""))
	events := make([]domain.Event, benchRooms)
	var paths []string
	for i := range events {
		id := d.order()
		events[i] = domain.Event{
			ID: domain.NewID(), OrderID: id, Seq: 1, Version: 1, Type: domain.EventChanged, Status: domain.StatusCreated,
			OccurredAt: time.Now(), RecordedAt: time.Now(), Actor: domain.Actor{Kind: domain.RoleDispatcher, ID: "d"},
			Source: "api", Data: map[string]any{"fields": []string{"notes"}},
		}
		for range benchRoomSize {
			paths = append(paths, "/order/"+id+"/ws")
		}
	}
	bare := newBareRooms()
	defer bare.Close()
	ours, theirs := newReaders(b, d.URL, paths), newReaders(b, bare.URL, paths)
	frame := preparedFrame(string(push.Encode(push.TypeStatus, events[0].OrderID, 1, time.Now(), events[0])))
	hub := func() {
		for i := range events {
			e := &events[i]
			e.Seq++
			e.Version++
			d.hub.OrderChanged(domain.Announce(&domain.Order{ID: e.OrderID}, []domain.Event{domain.Heard(*e, nil, domain.State{Seq: e.Seq, Version: e.Version})}))
		}
	}
	var spent [2]int64
	for b.Loop() {
		for side, publish := range []func(){hub, func() { bare.write(frame) }} {
			readers := []*readers{ours, theirs}[side]
			before := processCPU()
			publish()
			readers.wait(len(paths))
			spent[side] += processCPU() - before
		}
	}
	b.ReportMetric(float64(spent[1])/float64(spent[0]), "x-bare")
	b.ReportMetric(float64(spent[0])/float64(b.N*len(paths)), "cpu-ns/delivery")
	b.ReportMetric(float64(spent[1])/float64(b.N*len(paths)), "bare-cpu-ns/delivery")
}

func processCPU() int64 {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return u.Utime.Nano() + u.Stime.Nano()
}

// bareRooms is a WebSocket server without a hub.
type bareRooms struct {
	*httptest.Server
	gws.BuiltinEventHandler
	mu    sync.Mutex
	conns []net.Conn
	loops sync.WaitGroup
}

func newBareRooms() *bareRooms {
	r := &bareRooms{}
	up := gws.NewUpgrader(r, &gws.ServerOption{ReadBufferSize: 512, ParallelGolimit: 1})
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		conn, err := up.Upgrade(w, req)
		if err != nil {
			return
		}
		_ = conn.WriteString(`{"type":"snapshot"}`)
		r.mu.Lock()
		r.conns = append(r.conns, conn.NetConn())
		r.mu.Unlock()
		r.loops.Go(conn.ReadLoop)
	}))
	return r
}

func (r *bareRooms) write(frame []byte) {
	for _, c := range r.conns {
		_, _ = c.Write(frame)
	}
}

func (r *bareRooms) Close() {
	for _, c := range r.conns {
		_ = c.Close()
	}
	r.loops.Wait()
	r.Server.Close()
}

func preparedFrame(text string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{0x81, 126}, uint16(len(text))), text...)
}

// readers is another process that reads from sockets.
type readers struct {
	b      *testing.B
	in     io.WriteCloser
	out    *bufio.Reader
	wanted int
}

const readersEnv = "HTTPDOOR_READERS"

// newReaders starts this test binary again as TestReaders.
func newReaders(b *testing.B, url string, paths []string) *readers {
	cmd := exec.Command(os.Args[0], "-test.run=^TestReaders$", "-test.v=false")
	cmd.Env = append(os.Environ(), readersEnv+"="+strings.TrimPrefix(url, "http://"))
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	require.NoError(b, err)
	out, err := cmd.StdoutPipe()
	require.NoError(b, err)
	require.NoError(b, cmd.Start())
	r := &readers{b: b, in: in, out: bufio.NewReader(out)}
	b.Cleanup(func() {
		_ = in.Close()
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	_, err = fmt.Fprintln(in, strings.Join(paths, " "))
	require.NoError(b, err)
	r.wait(len(paths)) // the snapshots
	return r
}

// wait returns once the readers have read that many more frames.
func (r *readers) wait(frames int) {
	r.wanted += frames
	_, err := fmt.Fprintln(r.in, r.wanted)
	require.NoError(r.b, err)
	_, err = r.out.ReadString('\n')
	require.NoError(r.b, err)
}

// TestReaders is the reading process; run on its own it does nothing.
func TestReaders(t *testing.T) {
	addr := os.Getenv(readersEnv)
	if addr == "" {
		t.Skip("it is for BenchmarkRooms")
	}
	var got atomic.Int64
	more := make(chan struct{}, 1)
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	line, err := in.ReadString('\n')
	require.NoError(t, err)
	for _, path := range strings.Fields(line) {
		conn, err := net.Dial("tcp", addr)
		require.NoError(t, err)
		_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", path, addr)
		require.NoError(t, err)
		r := bufio.NewReaderSize(conn, 512)
		resp, err := http.ReadResponse(r, nil)
		require.NoError(t, err)
		_ = resp.Body.Close()
		go func() {
			for skipFrame(r) == nil {
				got.Add(1)
				select {
				case more <- struct{}{}:
				default:
				}
			}
		}()
	}
	for {
		var wanted int64
		if _, err := fmt.Fscanln(in, &wanted); err != nil {
			os.Exit(0) // the benchmark is over
		}
		for got.Load() < wanted {
			<-more
		}
		fmt.Println(wanted)
	}
}

func skipFrame(r *bufio.Reader) error {
	head, err := r.Peek(4)
	if err != nil {
		return err
	}
	n := 2 + int(head[1])
	if head[1] == 126 {
		n = 4 + int(binary.BigEndian.Uint16(head[2:]))
	}
	_, err = r.Discard(n)
	return err
}
