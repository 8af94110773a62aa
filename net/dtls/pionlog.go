package dtls

import (
	"fmt"
	"log/slog"

	"github.com/pion/logging"
)

// pionLog passes messages of pion on at debug level, except for traces, which contain sessions.
type pionLog struct{ to *slog.Logger }

// NewLogger implements logging.LoggerFactory.
func (l pionLog) NewLogger(string) logging.LeveledLogger { return pionLogger(l) }

type pionLogger struct{ to *slog.Logger }

func (l pionLogger) say(s string) {
	if l.to != nil {
		l.to.Debug("dtls handshake", "engine", s)
	}
}

func (l pionLogger) sayf(format string, args ...any) {
	if l.to != nil {
		l.say(fmt.Sprintf(format, args...))
	}
}

func (pionLogger) Trace(string)                     {}
func (pionLogger) Tracef(string, ...any)            {}
func (l pionLogger) Debug(s string)                 { l.say(s) }
func (l pionLogger) Debugf(format string, a ...any) { l.sayf(format, a...) }
func (l pionLogger) Info(s string)                  { l.say(s) }
func (l pionLogger) Infof(format string, a ...any)  { l.sayf(format, a...) }
func (l pionLogger) Warn(s string)                  { l.say(s) }
func (l pionLogger) Warnf(format string, a ...any)  { l.sayf(format, a...) }
func (l pionLogger) Error(s string)                 { l.say(s) }
func (l pionLogger) Errorf(format string, a ...any) { l.sayf(format, a...) }
