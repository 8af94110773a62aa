package eventlog_test

import (
	"bytes"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	values "github.com/lwm2mgen/toolkit/generated/eventlog"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/eventlog"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
)

var must = objecttest.Must

// logged is a device with one log.
type logged struct {
	*objecttest.Device
	t   *testing.T
	log *eventlog.Log
	obj *eventlog.EventLog
}

func newLogged(t *testing.T, c eventlog.LogConfig) *logged {
	t.Helper()
	o, err := eventlog.New(eventlog.Config{})
	must(t, err)
	l, err := o.AddLog(3, c)
	must(t, err)
	return &logged{objecttest.New(t, o), t, l, o}
}

// want fails unless the log has this status and data.
func (l *logged) want(status int64, data string) {
	l.t.Helper()
	if s, d := l.Value("/20/3/4013").Integer(), string(l.Value("/20/3/4014").Opaque()); s != status || d != data {
		l.t.Errorf("status %d, log %q, want %d, %q", s, d, status, data)
	}
}

func TestStartAndStop(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		l := newLogged(t, eventlog.LogConfig{Class: values.LogClassTrace})
		fmt.Fprint(l.log, "a")
		l.want(1, "")
		must(t, l.Execute("/20/3/4011", ""))
		fmt.Fprint(l.log, "b")
		l.want(2, "b")
		must(t, l.Execute("/20/3/4012", ""))
		fmt.Fprint(l.log, "c")
		l.want(3, "b")
		must(t, l.Execute("/20/3/4011", "0='1'"))
		fmt.Fprint(l.log, "d")
		l.want(2, "bd")
		must(t, l.Execute("/20/3/4011", "0='0'"))
		l.want(0, "")
		fmt.Fprint(l.log, "e")
		must(t, l.Execute("/20/3/4012", "0='1'"))
		l.want(1, "")
		must(t, l.Execute("/20/3/4011", "0='0',1='100'"))
		<-time.After(99 * time.Second)
		fmt.Fprint(l.log, "f")
		<-time.After(time.Second)
		synctest.Wait()
		fmt.Fprint(l.log, "g")
		l.want(3, "f")
		must(t, l.Execute("/20/3/4011", "1='100'"))
		must(t, l.Execute("/20/3/4011", "")) // until it is stopped
		<-time.After(time.Hour)
		fmt.Fprint(l.log, "h")
		l.want(2, "h")
		for _, args := range []string{"0='2'", "1='soon'", "1='-1'", "1='99999999999999'"} {
			if err := l.Execute("/20/3/4011", args); !errors.Is(err, dm.BadRequest) {
				t.Errorf("LogStart %s: %v", args, err)
			}
		}
		if err := l.Execute("/20/3/4012", "0='x'"); !errors.Is(err, dm.BadRequest) {
			t.Errorf("LogStop: %v", err)
		}
		l.want(2, "h")
		l.log.Stop()
		if l.log.Running() {
			t.Error("it runs after Stop")
		}
		l.log.Start()
		fmt.Fprint(l.log, "i")
		l.want(2, "hi")
	})
}

// The newest entries stay.
func TestBound(t *testing.T) {
	l := newLogged(t, eventlog.LogConfig{Size: 8, Running: true})
	for _, entry := range []string{"one,", "two,", "six,"} {
		if n, err := fmt.Fprint(l.log, entry); n != 4 || err != nil {
			t.Errorf("wrote %d, %v", n, err)
		}
	}
	l.want(2, "two,six,")
	fmt.Fprint(l.log, "seven,")
	l.want(2, "seven,")
	fmt.Fprint(l.log, "much longer than the log")
	l.want(6, "seven,") // an error
	must(t, l.Execute("/20/3/4011", ""))
	l.want(0, "")
	for range 100_000 {
		_, _ = l.log.Write(nil)
	}
	l.want(2, "")
	if _, err := l.obj.AddLog(4, eventlog.LogConfig{Size: -1}); err == nil {
		t.Error("a negative size was accepted")
	}
	if _, err := l.obj.AddLog(3, eventlog.LogConfig{}); err == nil {
		t.Error("a second log with the ID was accepted")
	}
	if _, err := l.obj.AddLog(5, eventlog.LogConfig{Class: 256}); err == nil {
		t.Error("a class of 256 was accepted")
	}
}

func TestFormats(t *testing.T) {
	l := newLogged(t, eventlog.LogConfig{Running: true, Formats: map[int64]func([][]byte) ([]byte, error){
		values.LogDataFormatJSON: func(entries [][]byte) ([]byte, error) {
			return []byte(`["` + string(bytes.Join(entries, []byte(`","`))) + `"]`), nil
		},
	}})
	fmt.Fprint(l.log, "a")
	fmt.Fprint(l.log, "b")
	l.want(2, "ab")
	must(t, l.Write("/20/3/4015", dm.IntegerValue(values.LogDataFormatJSON)))
	l.want(2, `["a","b"]`)
	if err := l.Write("/20/3/4015", dm.IntegerValue(values.LogDataFormatCBOR)); !errors.Is(err, dm.BadRequest) {
		t.Errorf("a format that the log does not have: %v", err)
	}
	l.want(2, `["a","b"]`)
	must(t, l.Write("/20/3/4015", dm.IntegerValue(0)))
	l.want(2, "ab")
	plain := newLogged(t, eventlog.LogConfig{})
	if err := plain.Err("/20/3/4015"); !errors.Is(err, dm.NotFound) {
		t.Errorf("LogDataFormat without formats: %v", err)
	}
	o, err := eventlog.New(eventlog.Config{})
	must(t, err)
	_, err = o.AddLog(0, eventlog.LogConfig{})
	must(t, err)
	dmtest.Object(t, o.Object)
}

func TestLogger(t *testing.T) {
	l := newLogged(t, eventlog.LogConfig{Running: true})
	slog.New(slog.NewTextHandler(l.log, nil)).Info("pump started", "rpm", 1400)
	if text := string(l.Value("/20/3/4014").Opaque()); !strings.HasSuffix(text, "level=INFO msg=\"pump started\" rpm=1400\n") {
		t.Errorf("log %q", text)
	}
}
