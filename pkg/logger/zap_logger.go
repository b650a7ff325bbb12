// Package logger builds the product's zap logger.
package logger

import (
	"fmt"
	"io"
	"os"
	"time"

	"github.com/mattn/go-isatty"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"
)

// New returns a logger that writes to w, os.Stderr in the product: stdout is for the output of commands. level is debug,
// info, warn or error; format is console, json, or auto: console when w is a terminal and JSON otherwise. Times are ISO 8601
// in UTC. It is safe for concurrent use.
func New(level, format string, w io.Writer) (*zap.Logger, error) {
	least, err := zapcore.ParseLevel(level)
	if err != nil {
		return nil, fmt.Errorf("log level: %w", err)
	}
	return NewAt(least, format, w)
}

// NewAt is New with a level that can be changed at run time.
func NewAt(level zapcore.LevelEnabler, format string, w io.Writer) (*zap.Logger, error) {
	encoder, err := newEncoder(format, terminal(w))
	if err != nil {
		return nil, err
	}
	sink := zapcore.Lock(zapcore.AddSync(w))
	return zap.New(zapcore.NewCore(encoder, sink, level), zap.ErrorOutput(sink), zap.AddStacktrace(zap.DPanicLevel)), nil
}

func newEncoder(format string, tty bool) (zapcore.Encoder, error) {
	c := zap.NewProductionEncoderConfig()
	c.TimeKey = "time"
	c.EncodeTime = func(t time.Time, enc zapcore.PrimitiveArrayEncoder) { zapcore.ISO8601TimeEncoder(t.UTC(), enc) }
	c.EncodeDuration = zapcore.StringDurationEncoder
	switch {
	case format == "json" || format == "auto" && !tty:
		return zapcore.NewJSONEncoder(c), nil
	case format == "console" || format == "auto":
		c.EncodeLevel = zapcore.CapitalLevelEncoder
		if tty {
			c.EncodeLevel = zapcore.CapitalColorLevelEncoder
		}
		return zapcore.NewConsoleEncoder(c), nil
	}
	return nil, fmt.Errorf("log format: %q is not auto, console or json", format)
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && isatty.IsTerminal(f.Fd())
}
