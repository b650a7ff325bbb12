package transport

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// burst is how long a repeated log message is suppressed.
const burst = time.Minute

// Bursts returns a logger for a cause that fails many requests at once, such as a dependency
// that is down: it writes each message at most once a minute.
func Bursts(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(c, burst, 1, 0)
	}))
}
