package eventlog

import (
	"context"
	"fmt"
	"sync"

	"github.com/lwm2mgen/toolkit/generated/eventlog"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
)

// Config is the configuration of New.
type Config struct {
	// Hooks run in addition to the hooks of this package. The zero value means none.
	Hooks eventlog.Hooks
}

// LogConfig is the configuration of EventLog.AddLog.
type LogConfig struct {
	// Class is LogClass (/20/x/4010): one of the LogClass constants of generated/eventlog, or a
	// number of your own from 100 to 255. Servers may write it. The zero value means generic.
	Class int64
	// Size bounds the entries, in bytes. The zero value means 16 KiB.
	Size int
	// Running starts the log when it is added. The zero value means that a server starts it, or
	// Log.Start.
	Running bool
	// Formats are formats of LogData, by the numbers of LogDataFormat (/20/x/4015): each function
	// encodes the entries. Servers choose one. The zero value means that there is no LogDataFormat;
	// LogData is the entries one behind the other, as it is with format 0.
	Formats map[int64]func(entries [][]byte) ([]byte, error)
}

// maxEntries bounds the number of entries, because empty ones cost memory, too.
const maxEntries = 1 << 14

// EventLog is the Event Log object. It is an object for lwm2m.Config.Objects. Its methods may be
// called from any goroutine.
type EventLog struct {
	*eventlog.Object

	mu   sync.Mutex
	logs map[dm.InstanceID]*Log
}

// New returns the object without logs.
func New(c Config) (*EventLog, error) {
	e := &EventLog{logs: map[dm.InstanceID]*Log{}}
	o, err := eventlog.New(eventlog.Config{Hooks: behaviour.Join(eventlog.Hooks{Validate: e.validate}, c.Hooks)})
	if err != nil {
		return nil, err
	}
	e.Object = o
	return e, nil
}

// AddLog adds an instance with its log. Remove the instance with Remove.
func (e *EventLog) AddLog(id dm.InstanceID, c LogConfig) (*Log, error) {
	if c.Size == 0 {
		c.Size = 16 << 10
	}
	if c.Size < 0 {
		return nil, fmt.Errorf("eventlog: LogConfig.Size is %d, it must not be negative", c.Size)
	}
	l := &Log{cfg: c, object: e, id: id, running: c.Running}
	inst := eventlog.Instance{
		LogClass:  dm.Int(c.Class),
		LogStart:  l.onStart,
		LogStop:   l.onStop,
		LogStatus: dm.Func(l.status),
		LogData:   dm.Func(l.data),
	}
	if len(c.Formats) > 0 {
		inst.LogDataFormat = dm.Int(eventlog.LogDataFormatUnspecified)
	}
	if err := e.Add(id, inst); err != nil {
		return nil, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.logs[id] = l
	return l, nil
}

// validate refuses formats that a log does not have.
func (e *EventLog) validate(_ context.Context, tx *eventlog.Tx) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	for c := range tx.Changes() {
		format, ok := c.New.LogDataFormat.Get()
		if l := e.logs[c.ID]; ok && format != eventlog.LogDataFormatUnspecified && !(l != nil && l.cfg.Formats[format] != nil) {
			return dm.Errorf(dm.BadRequest, "log %d has no format %d", c.ID, format)
		}
	}
	return nil
}
