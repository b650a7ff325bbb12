package background

import (
	"sync"
	"time"

	"go.uber.org/zap"
)

// Outage logs when something that is tried again and again stops working, once, and when it works again.
type Outage struct {
	Log        *zap.Logger
	Lost, Back string // the messages; without Back the end is not logged

	mu    sync.Mutex
	since time.Time // zero while it works
}

// Note records the outcome of a try.
func (o *Outage) Note(err error, about ...zap.Field) {
	o.mu.Lock()
	defer o.mu.Unlock()
	switch failing := !o.since.IsZero(); {
	case err != nil && !failing:
		o.since = time.Now()
		o.Log.Warn(o.Lost, append(about, zap.Error(err))...)
	case err == nil && failing:
		if o.Back != "" {
			o.Log.Info(o.Back, append(about, zap.Duration("after", time.Since(o.since)))...)
		}
		o.since = time.Time{}
	}
}
