package broker

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"

	"github.com/order-tracking/order-tracking/internal/infrastructure/messaging"
)

const (
	lockFile = ".lock"
	// attemptsFile counts the starts since the data was last loaded, so that a crash while
	// loading does not repeat at every start.
	attemptsFile = ".loading"
	maxAttempts  = 3
	// runningFile exists while a broker runs and holds the machine's boot id.
	runningFile = ".running"
	// incompleteFile exists while messages may be missing, until they were published again, possibly after another start.
	incompleteFile = ".incomplete"
	logDir         = "log"
)

var (
	errUnloadable = errors.New("the process ended while loading it, several times in a row")
	errIncomplete = errors.New("files of it are missing")
)

// lockDir creates the directory and locks it for this process.
func lockDir(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("make its directory: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	locked, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("lock %s: %w", dir, err)
	case !locked:
		return nil, fmt.Errorf("another process uses the directory %s; "+
			"stop it or choose another kafka.dir (OT_KAFKA__DIR)", dir)
	}
	return lock, nil
}

// dataDir is the locked directory of an embedded broker.
type dataDir struct {
	root string
	// damaged is set if the broker cut off unreadable data.
	damaged atomic.Bool
}

func (d *dataDir) path(names ...string) string { return filepath.Join(d.root, filepath.Join(names...)) }

func (d *dataDir) has(names ...string) bool {
	_, err := os.Stat(d.path(names...))
	return err == nil
}

// read returns a state file's text, "" if it does not exist.
func (d *dataDir) read(name string) string {
	text, _ := os.ReadFile(d.path(name)) //nolint:errcheck // an unreadable file can't be written either, and that fails
	return strings.TrimSpace(string(text))
}

func (d *dataDir) write(name, text string) error {
	return os.WriteFile(d.path(name), []byte(text), 0o600)
}

func (d *dataDir) remove(name string) error {
	if err := os.Remove(d.path(name)); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}

// writable writes as much as loading may, to detect problems such as a full disk.
func (d *dataDir) writable() error {
	const probe = ".probe"
	err := os.WriteFile(d.path(probe), make([]byte, messaging.MiB/4), 0o600)
	return errors.Join(err, d.remove(probe))
}

// attempts is how many times in a row loading crashed the process.
func (d *dataDir) attempts() int {
	n, _ := strconv.Atoi(d.read(attemptsFile)) //nolint:errcheck // garbage counts as none
	return n
}

// load starts the broker on the data.
func (d *dataDir) load(l *filter, log *zap.Logger) (*kfake.Cluster, error) {
	// Without these files the broker would treat the data as empty and overwrite it.
	if d.has(logDir, "partitions") && (!d.has(logDir, "meta.json") || !d.has(logDir, "topics.json")) {
		return nil, errIncomplete
	}
	if err := d.write(attemptsFile, strconv.Itoa(d.attempts()+1)); err != nil {
		return nil, err
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID(clusterID),
		kfake.DataDir(d.path(logDir)),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return l, nil }),
		kfake.WithLogger(brokerLog{log, d.cutOff}),
		kfake.BrokerConfigs(map[string]string{"state.log.compact.bytes": strconv.Itoa(messaging.MiB)}),
	)
	if err != nil {
		return nil, err
	}
	if err := d.remove(attemptsFile); err != nil {
		cluster.Close()
		return nil, err
	}
	return cluster, nil
}

// cutOff is called when the broker is about to cut off the last n bytes of a segment. If they are the beginning of a batch
// at the end of the last segment, a kill interrupted that write and it was never acknowledged. Anything else is damage.
func (d *dataDir) cutOff(topic string, partition int32, base int64, n int) {
	dir := d.path(logDir, "partitions", url.PathEscape(topic)+"-"+strconv.Itoa(int(partition)))
	if !lastSegment(dir, base) || !beginOfBatch(filepath.Join(dir, strconv.FormatInt(base, 10)+".dat"), n) {
		d.damaged.Store(true)
	}
}

func lastSegment(dir string, base int64) bool {
	files, err := os.ReadDir(dir)
	return err == nil && !slices.ContainsFunc(files, func(f os.DirEntry) bool {
		name, segment := strings.CutSuffix(f.Name(), ".dat")
		other, err := strconv.ParseInt(name, 10, 64)
		return segment && err == nil && other > base
	})
}

// beginOfBatch reports whether the last n bytes of the file are an incomplete batch,
// judging by the batch header's offset and length.
func beginOfBatch(path string, n int) bool {
	const head = 12
	raw, err := os.ReadFile(path)
	if err != nil || n > len(raw) {
		return false
	}
	rest := raw[len(raw)-n:]
	return len(rest) < head || uint64(len(rest)) < head+uint64(binary.BigEndian.Uint32(rest[8:]))
}

// begin records that a broker runs, and reports whether the previous one ended in a machine crash: then the last seconds of
// acknowledged messages, not yet flushed to disk by the system, may be missing.
func (d *dataDir) begin() (lostPower bool, err error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		boot = nil // the boot id is unknown
	}
	now := strings.TrimSpace(string(boot))
	lostPower = d.has(runningFile) && d.read(runningFile) != now
	return lostPower, d.write(runningFile, now)
}

// setAside renames the data to a name with the time.
func (d *dataDir) setAside(why error, log *zap.Logger) error {
	aside := d.path(logDir) + ".unreadable-" + time.Now().UTC().Format("20060102T150405.000")
	log.Error("the embedded Kafka broker can't load its data; it was renamed and the topics start empty",
		zap.String("kept_as", aside), zap.Error(why))
	if err := os.Rename(d.path(logDir), aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("set aside data that can't be loaded (%w): %w", why, err)
	}
	return d.remove(attemptsFile)
}

// portTaken reports whether listening failed because the address is in use.
func portTaken(err error) bool {
	const windowsInUse = syscall.Errno(10048) // WSAEADDRINUSE
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsInUse)
}
