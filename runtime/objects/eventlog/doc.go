// Package eventlog is the LwM2M Event Log object (20) with its behaviour: logs of bounded size that
// servers start, stop and read. A [Log] is an io.Writer, so the handlers of log/slog write to it.
//
//	logs, err := eventlog.New(eventlog.Config{})
//	trace, err := logs.AddLog(0, eventlog.LogConfig{Class: values.LogClassTrace, Size: 32 << 10})
//	logger := slog.New(slog.NewTextHandler(trace, nil))
//	logger.Info("pump started", "rpm", 1400)
//
// values is generated/eventlog. While no server has started the log (/20/0/4011), entries are
// discarded; with LogConfig.Running it runs from the beginning. The newest entries stay: an old one
// goes when there is no room for a new one.
//
// LogDataIncremental (4016) and its interval (4017) do not exist, which means that the device sends
// no log by itself. What is written to a log can be read by servers, so keep secrets out of it.
//
// The main names are [New], [EventLog.AddLog], [LogConfig], [Log] and [Log.Start].
package eventlog
