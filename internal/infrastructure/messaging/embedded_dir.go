package messaging

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
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
	brokerSubdir = "log"
)

var errUnloadable = errors.New("the process ended while loading it, several times in a row")

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
	n := strconv.Itoa(d.attempt() + 1)
	if err := os.WriteFile(d.attempts(), []byte(n), 0o600); err != nil {
		return nil, fmt.Errorf("write %s: %w", d.attempts(), err)
	}
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.ClusterID(clusterID),
		kfake.DataDir(d.data()),
		kfake.ListenFn(func(string, string) (net.Listener, error) { return l, nil }),
		kfake.WithLogger(brokerLog{d.log}),
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
