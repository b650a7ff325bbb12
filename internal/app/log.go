package app

import (
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/order-tracking/order-tracking/internal/domain"
)

// explaining is a log core that adds the causes to every error: the messages of domain errors are for callers and omit them.
type explaining struct{ zapcore.Core }

func explained(log *zap.Logger) *zap.Logger {
	return log.WithOptions(zap.WrapCore(func(c zapcore.Core) zapcore.Core { return explaining{c} }))
}

// With implements zapcore.Core.
func (c explaining) With(fields []zapcore.Field) zapcore.Core {
	return explaining{c.Core.With(explain(fields))}
}

// Check implements zapcore.Core.
func (c explaining) Check(e zapcore.Entry, to *zapcore.CheckedEntry) *zapcore.CheckedEntry {
	if c.Enabled(e.Level) {
		return to.AddCore(e, c)
	}
	return to
}

// Write implements zapcore.Core.
func (c explaining) Write(e zapcore.Entry, fields []zapcore.Field) error {
	return c.Core.Write(e, explain(fields))
}

func explain(fields []zapcore.Field) []zapcore.Field {
	for i, f := range fields {
		if err, ok := f.Interface.(error); ok && f.Type == zapcore.ErrorType {
			fields[i].Interface = domain.Explained(err)
		}
	}
	return fields
}
