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
	// attemptsFile counts the starts since the data was last loaded: a crash while
	// loading must not become a crash at every start for ever.
	attemptsFile = ".loading"
	maxAttempts  = 3
	// runningFile exists while a broker runs and names the boot of the machine.
	runningFile = ".running"
	// incompleteFile exists from when messages may be missing until they were published
	// again, which may be a start later.
	incompleteFile = ".incomplete"
	logDir         = "log"
)

var (
	errUnloadable = errors.New("the process ended while loading it, several times in a row")
	errIncomplete = errors.New("files of it are missing")
)

// lockDir makes the directory and takes it for this process.
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
	// damaged says that the broker cut off a part of the data that it could not read.
	damaged atomic.Bool
}

func (d *dataDir) path(names ...string) string {
	return filepath.Join(d.root, filepath.Join(names...))
}

func (d *dataDir) has(names ...string) bool {
	_, err := os.Stat(d.path(names...))
	return err == nil
}

// read returns what a note says, nothing when it is not there.
func (d *dataDir) read(name string) string {
	text, _ := os.ReadFile(d.path(name)) //nolint:errcheck // what can't be read can't be written, which fails
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

// writable writes as much as loading may and says what is in the way, such as a full disk.
func (d *dataDir) writable() error {
	const probe = ".probe"
	err := os.WriteFile(d.path(probe), make([]byte, messaging.MiB/4), 0o600)
	return errors.Join(err, d.remove(probe))
}

// attempts is how many times in a row loading ended the process.
func (d *dataDir) attempts() int {
	n, _ := strconv.Atoi(d.read(attemptsFile)) //nolint:errcheck // garbage counts as none
	return n
}

// load starts the broker on the data.
func (d *dataDir) load(l *filter, log *zap.Logger) (*kfake.Cluster, error) {
	// Without these files the broker would take the rest for nothing and write over it.
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
		kfake.BrokerConfigs(map[string]string{
			"state.log.compact.bytes": strconv.Itoa(messaging.MiB),
		}),
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

// cutOff hears that the broker is about to cut off the last n bytes of a segment. When
// they are the begin of a batch at the end of the last segment, a kill interrupted that
// write and nobody was told that it is safe. Anything else is damage.
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

// begin notes that a broker runs, and says whether the one before ended with the
// machine: then the last seconds of what it had acknowledged, which the system had not
// written to the disk, may be missing.
func (d *dataDir) begin() (lostPower bool, err error) {
	boot, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		boot = nil // no telling which boot this is
	}
	now := strings.TrimSpace(string(boot))
	lostPower = d.has(runningFile) && d.read(runningFile) != now
	return lostPower, d.write(runningFile, now)
}

// setAside renames the data to a name that tells when.
func (d *dataDir) setAside(why error, log *zap.Logger) error {
	aside := d.path(logDir) + ".unreadable-" + time.Now().UTC().Format("20060102T150405.000")
	log.Error("the embedded Kafka broker can't load its data: it is set aside and the topics start empty",
		zap.String("kept_as", aside), zap.Error(why))
	if err := os.Rename(d.path(logDir), aside); err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("set aside data that can't be loaded (%w): %w", why, err)
	}
	return d.remove(attemptsFile)
}

// portTaken says that listening failed because another socket has the address.
func portTaken(err error) bool {
	const windowsInUse = syscall.Errno(10048) // WSAEADDRINUSE
	return errors.Is(err, syscall.EADDRINUSE) || errors.Is(err, windowsInUse)
}
