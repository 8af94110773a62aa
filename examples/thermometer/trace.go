package main

import (
	"context"
	"log/slog"
)

// trace is a slog.Handler for the lines of this program: it says what went wrong and why. The server is told the code and the path
// alone. A real device logs as the rest of its program does, by Config.Logger.
type trace struct {
	say   func(format string, args ...any)
	attrs []slog.Attr
}

// Enabled implements slog.Handler. Requests that are refused are logged at slog.LevelDebug.
func (trace) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (t trace) Handle(_ context.Context, r slog.Record) error {
	var method, path, reason string
	note := func(a slog.Attr) bool {
		switch a.Key {
		case "method":
			method = a.Value.String() + " "
		case "path":
			path = a.Value.String() + ": "
		case "error":
			reason = a.Value.String()
		}
		return true
	}
	for _, a := range t.attrs {
		note(a)
	}
	r.Attrs(note)
	if reason != "" {
		t.say("device: %s: %s%s%s", r.Message, method, path, reason)
	}
	return nil
}

// WithAttrs implements slog.Handler.
func (t trace) WithAttrs(attrs []slog.Attr) slog.Handler {
	return trace{t.say, append(t.attrs[:len(t.attrs):len(t.attrs)], attrs...)}
}

// WithGroup implements slog.Handler.
func (t trace) WithGroup(string) slog.Handler { return t }
