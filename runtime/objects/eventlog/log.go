package eventlog

import (
	"bytes"
	"context"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/generated/eventlog"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
)

// The bits of LogStatus (/20/x/4013).
const (
	statusStopped = 1 << 0
	statusValid   = 1 << 1
	statusError   = 1 << 2
)

// Log is one log. It is an io.Writer whose Write records one entry, so that a handler of log/slog
// can write to it. Its methods may be called from any goroutine.
type Log struct {
	cfg    LogConfig
	object *EventLog
	id     dm.InstanceID

	mu      sync.Mutex
	entries [][]byte
	size    int // of the entries
	running bool
	failed  bool // an entry was lost
	period  behaviour.Period
}

// Write records one entry if the log is running. The oldest entries make room for it. An entry that
// is larger than the whole log is lost, which LogStatus shows. Write never fails.
func (l *Log) Write(entry []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case !l.running:
	case len(entry) > l.cfg.Size:
		l.failed = true
	default:
		l.entries = append(l.entries, bytes.Clone(entry))
		l.size += len(entry)
		drop := 0
		for ; l.size > l.cfg.Size || len(l.entries)-drop > maxEntries; drop++ {
			l.size -= len(l.entries[drop])
		}
		clear(l.entries[:drop])
		l.entries = l.entries[drop:]
	}
	return len(entry), nil
}

// Running reports whether the log records entries.
func (l *Log) Running() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.running
}

// Start records entries from now on, until Stop. It keeps the entries that are there.
func (l *Log) Start() { l.start(true, 0) }

// Stop ends the recording. It keeps the entries.
func (l *Log) Stop() { l.stop(true) }

func (l *Log) start(keep bool, period time.Duration) {
	l.stop(keep)
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running, l.failed = true, false
	l.period.Start(&l.mu, period, func() { l.running = false })
}

func (l *Log) stop(keep bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.running = false
	l.period.Stop()
	if !keep {
		l.entries, l.size = nil, 0
	}
}

// onStart is the executable LogStart. Argument 0 is 1 to keep the entries, argument 1 a number of
// seconds after which the recording ends.
func (l *Log) onStart(ctx context.Context, args dm.Args) error {
	keep, err := flag(args)
	if err != nil {
		return err
	}
	var seconds uint64
	if v, ok := args.Get(1); ok && v != "" {
		if seconds, err = strconv.ParseUint(v, 10, 64); err != nil || seconds > behaviour.MaxPeriod {
			return dm.Errorf(dm.BadRequest, "argument 1 is %.20q: it is a number of seconds", v)
		}
	}
	l.start(keep, time.Duration(seconds)*time.Second)
	l.notify(ctx)
	return nil
}

// onStop is the executable LogStop. Argument 0 is 1 to empty the log.
func (l *Log) onStop(ctx context.Context, args dm.Args) error {
	empty, err := flag(args)
	if err != nil {
		return err
	}
	l.stop(!empty)
	l.notify(ctx)
	return nil
}

// flag returns argument 0.
func flag(args dm.Args) (bool, error) {
	switch v, _ := args.Get(0); v {
	case "", "0":
		return false, nil
	case "1":
		return true, nil
	default:
		return false, dm.Errorf(dm.BadRequest, "argument 0 is %.20q: it is 0 or 1", v)
	}
}

// notify has the observers of the log look at it.
func (l *Log) notify(ctx context.Context) {
	if c := lwm2m.FromContext(ctx); c != nil {
		c.Notify(dm.InstancePath(eventlog.ObjectID, l.id))
	}
}

func (l *Log) status(context.Context) (int64, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var s int64
	if !l.running {
		s |= statusStopped
	}
	if len(l.entries) > 0 {
		s |= statusValid
	}
	if l.failed {
		s |= statusError
	}
	return s, nil
}

// data returns LogData in the format that a server has chosen.
func (l *Log) data(context.Context) ([]byte, error) {
	inst, _ := l.object.Get(l.id)
	encode := l.cfg.Formats[inst.LogDataFormat.Or(eventlog.LogDataFormatUnspecified)]
	l.mu.Lock()
	entries := slices.Clone(l.entries)
	l.mu.Unlock()
	if encode == nil {
		return bytes.Join(entries, nil), nil
	}
	return encode(entries)
}
