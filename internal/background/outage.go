package background

import (
	"sync"

	"go.uber.org/zap"
)

// Outage logs when something that is tried again and again stops working, once, and when it works again.
type Outage struct {
	Log        *zap.Logger
	Lost, Back string // the messages; without Back the end is not logged

	mu   sync.Mutex
	lost bool
}

// Note records the outcome of a try.
func (o *Outage) Note(err error, about ...zap.Field) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if (err != nil) == o.lost {
		return
	}
	if o.lost = err != nil; o.lost {
		o.Log.Warn(o.Lost, append(about, zap.Error(err))...)
	} else if o.Back != "" {
		o.Log.Info(o.Back, about...)
	}
}
