package main

import (
	"context"
	"log/slog"
)

// trace is a slog.Handler that prints what went wrong and why. A server gets the code and the path
// only. In a real device, Config.Logger is the logger of the rest of the program.
type trace struct {
	say   func(format string, args ...any)
	attrs []slog.Attr
}

// Enabled implements slog.Handler. The client logs refused requests at slog.LevelDebug.
func (trace) Enabled(context.Context, slog.Level) bool { return true }

// Handle implements slog.Handler.
func (t trace) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "registration state" {
		return nil // OnStatus prints it
	}
	var method, path, reason string
	note := func(a slog.Attr) bool {
		switch a.Key {
		case "method":
			method = a.Value.String() + " "
		case "path":
			path = a.Value.String() + ": "
		case "error", "reason":
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
