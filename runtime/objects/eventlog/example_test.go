package eventlog_test

import (
	"context"
	"fmt"
	"log/slog"

	values "github.com/lwm2mgen/toolkit/generated/eventlog"
	"github.com/lwm2mgen/toolkit/runtime/objects/eventlog"
)

// The program logs by log/slog, and servers read the log.
func Example() {
	logs, err := eventlog.New(eventlog.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	trace, err := logs.AddLog(0, eventlog.LogConfig{Class: values.LogClassTrace, Running: true})
	if err != nil {
		fmt.Println(err)
		return
	}
	untimed := &slog.HandlerOptions{ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}
	logger := slog.New(slog.NewTextHandler(trace, untimed))
	logger.Info("pump started", "rpm", 1400)
	logger.Warn("pump is hot", "celsius", 71)
	inst, _ := logs.Get(0)
	data, err := inst.LogData.Read(context.Background())
	fmt.Print(string(data))
	fmt.Println(err)
	// Output:
	// level=INFO msg="pump started" rpm=1400
	// level=WARN msg="pump is hot" celsius=71
	// <nil>
}
