package messaging

import (
	"encoding/binary"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/gofrs/flock"
	"github.com/twmb/franz-go/pkg/kfake"
	"go.uber.org/zap"
)

const (
	lockFile = ".lock"
	// attemptsFile counts the starts since the data was last loaded: a crash while
	// loading must not become a crash at every start for ever.
	attemptsFile = ".loading"
	maxAttempts  = 3
	// runningFile exists while a broker runs and names the boot of the machine.
	runningFile = ".running"
	// incompleteFile exists from when messages may be missing until they were published
	// again, which may be a start later.
	incompleteFile = ".incomplete"
	brokerSubdir   = "log"
)

var (
	errUnloadable = errors.New("the process ended while loading it, several times in a row")
	errIncomplete = errors.New("files of it are missing")
)

// lockDir makes the directory and takes it for this process.
func lockDir(dir string) (*flock.Flock, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("embedded Kafka broker: make its directory: %w", err)
	}
	lock := flock.New(filepath.Join(dir, lockFile))
	locked, err := lock.TryLock()
	switch {
	case err != nil:
		return nil, fmt.Errorf("embedded Kafka broker: lock %s: %w", dir, err)
	case !locked:
		return nil, fmt.Errorf("embedded Kafka broker: another process uses the directory %s; "+
			"stop it or choose another kafka.dir (OT_KAFKA__DIR)", dir)
	}
	return lock, nil
}

// dataDir is the locked directory of an embedded broker.
type dataDir struct {
	path string
	log  *zap.Logger
	// damaged says that the broker cut off a part of the data that it could not read.
	damaged *atomic.Bool
}

func (d dataDir) data() string     { return filepath.Join(d.path, brokerSubdir) }
func (d dataDir) attempts() string { return filepath.Join(d.path, attemptsFile) }

// tooManyAttempts says that loading ended the process the last times.
func (d dataDir) tooManyAttempts() bool { return d.attempt() >= maxAttempts }

func (d dataDir) attempt() int {
	b, err := os.ReadFile(d.attempts())
	if err != nil {
		return 0
	}
	n, _ := strconv.Atoi(strings.TrimSpace(string(b))) //nolint:errcheck // garbage counts as none
	return n
}

// load starts the broker on the data.
func (d dataDir) load(l *guard) (*kfake.Cluster, error) {
	if !d.complete() {
		return nil, errIncomplete
	}
	n := strconv.Itoa(d.attempt() + 1)
	if err := os.WriteFile(d.attempts(), []byte(n), 0o600); err != nil {
		return nil, fmt.Errorf("write %s: %w", d.attempts(), err)
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID(clusterID),
		kfake.DataDir(d.data()),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return l, nil }),
		kfake.WithLogger(brokerLog{d.log, d.cutOff}),
		kfake.BrokerConfigs(map[string]string{
			"state.log.compact.bytes": strconv.Itoa(mib),
		}),
	)
	if err != nil {
		return nil, err
	}
	if err := os.Remove(d.attempts()); err != nil {
		cluster.Close()
		return nil, fmt.Errorf("remove %s: %w", d.attempts(), err)
	}
	return cluster, nil
}

// complete says whether the files are there without which the broker would take the
// rest for nothing and write over it.
func (d dataDir) complete() bool {
	if _, err := os.Stat(filepath.Join(d.data(), "partitions")); errors.Is(err, os.ErrNotExist) {
		return true // nothing was ever written
	}
	for _, name := range []string{"meta.json", "topics.json"} {
		if _, err := os.Stat(filepath.Join(d.data(), name)); err != nil {
			return false
		}
	}
	return true
}

// cutOff hears that the broker is about to cut off the last n bytes of a segment. When
// they are the begin of a batch at the end of the last segment, a kill interrupted that
// write and nobody was told that it is safe. Anything else is damage.
func (d dataDir) cutOff(topic string, partition int32, base int64, n int) {
	dir := filepath.Join(d.data(), "partitions", url.PathEscape(topic)+"-"+strconv.Itoa(int(partition)))
	if !lastSegment(dir, base) || !beginOfBatch(filepath.Join(dir, strconv.FormatInt(base, 10)+".dat"), n) {
		d.damaged.Store(true)
	}
}

func lastSegment(dir string, base int64) bool {
	files, err := filepath.Glob(filepath.Join(dir, "*.dat"))
	if err != nil {
		return false
	}
	for _, f := range files {
		other, err := strconv.ParseInt(strings.TrimSuffix(filepath.Base(f), ".dat"), 10, 64)
		if err == nil && other > base {
			return false
		}
	}
	return true
}

// beginOfBatch says whether the last n bytes of the file are less than the batch that
// they begin: its offset and its length lead it.
func beginOfBatch(path string, n int) bool {
	const head = 12
	raw, err := os.ReadFile(path)
	if err != nil || n > len(raw) {
		return false
	}
	rest := raw[len(raw)-n:]
	return len(rest) < head || uint64(len(rest)) < head+uint64(binary.BigEndian.Uint32(rest[8:]))
}

// markIncomplete notes that messages may be missing.
func (d dataDir) markIncomplete() error {
	if err := os.WriteFile(filepath.Join(d.path, incompleteFile), nil, 0o600); err != nil {
		return fmt.Errorf("embedded Kafka broker: %w", err)
	}
	return nil
}

func (d dataDir) markComplete() error {
	err := os.Remove(filepath.Join(d.path, incompleteFile))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("embedded Kafka broker: %w", err)
	}
	return nil
}

func (d dataDir) has(name string) bool {
	_, err := os.Stat(filepath.Join(d.path, name))
	return err == nil
}

// begin notes that a broker runs, and says whether the one before ended with the
// machine: then the last seconds of what it had acknowledged, which the system had not
// written to the disk, may be missing.
func (d dataDir) begin() (lostPower bool, err error) {
	path := filepath.Join(d.path, runningFile)
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return false, fmt.Errorf("embedded Kafka broker: %w", err)
	}
	boot := bootID()
	lostPower = err == nil && string(before) != boot
	if err := os.WriteFile(path, []byte(boot), 0o600); err != nil {
		return false, fmt.Errorf("embedded Kafka broker: %w", err)
	}
	return lostPower, nil
}

// end notes that the broker ended in order.
func (d dataDir) end() error {
	err := os.Remove(filepath.Join(d.path, runningFile))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	return err
}

// bootID names the current boot of the machine; empty where there is no telling.
func bootID() string {
	b, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// setAside renames the data to a name that tells when.
func (d dataDir) setAside(why error) error {
	aside := d.data() + ".unreadable-" + time.Now().UTC().Format("20060102T150405.000")
	d.log.Error("the embedded Kafka broker can't load its data: it is set aside and the topics start empty",
		zap.String("kept_as", aside), zap.Error(why))
	if err := os.Rename(d.data(), aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("embedded Kafka broker: set aside data that can't be loaded (%w): %w", why, err)
	}
	if err := os.Remove(d.attempts()); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("embedded Kafka broker: %w", err)
	}
	return nil
}

// portTaken says that listening failed because another socket has the address.
func portTaken(err error) bool {
	const windowsInUse = syscall.Errno(10048) // WSAEADDRINUSE
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsInUse)
}
