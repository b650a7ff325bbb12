package transport

import (
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// burst is for how long a message that was logged is not logged again.
const burst = time.Minute

// Bursts returns a logger for causes of what many requests are answered at once, such as
// that a dependency is down: of each message it writes the first within a minute.
func Bursts(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core {
		return zapcore.NewSamplerWithOptions(c, burst, 1, 0)
	}))
}
