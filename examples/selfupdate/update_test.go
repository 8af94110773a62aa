//go:build unix

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// healthTimeout is how long a program has to register that never does. One that does has a minute.
const healthTimeout = 3 * time.Second

// TestUpdate drives a device through one update after another. Only the last one is good.
func TestUpdate(t *testing.T) {
	t.Parallel()
	srv := lwm2mtest.NewServer(t)
	l := newLife(t, srv, "-health-timeout", healthTimeout.String())
	refused := map[string]struct {
		image  []byte
		result int64
	}{
		"an image that is damaged":                {bytes.Replace(l.image([]byte("some code"), nil), []byte("some code"), []byte("some Code"), 1), 5},
		"an image that is signed by another key":  {signed(t, otherKey(t), []byte("a program"), nil), 5},
		"an image without a signature":            {[]byte("a program"), 6},
		"an image of an older version":            {l.image([]byte("a program"), func(h *header) { h.version = "0.9.9" }), 8},
		"an image for another architecture":       {l.image([]byte("a program"), func(h *header) { h.arch = "mips" }), 6},
		"an image for another operating system":   {l.image([]byte("a program"), func(h *header) { h.os = "plan9" }), 6},
		"an image whose signed comment is forged": {bytes.Replace(l.image([]byte("a program"), nil), []byte("version:1.5"), []byte("version:9.5"), 1), 5},
	}
	for name, c := range refused {
		t.Run(name, func(t *testing.T) {
			defer l.in(t)()
			l.push(c.image)
			l.reports(0, c.result)
		})
	}
	pid := filepath.Join(t.TempDir(), "pid")
	sleeper := fmt.Sprintf("#!/bin/sh\necho $$ > %s.part && mv %s.part %s\nexec sleep 600\n", pid, pid, pid)
	started := func() int { return awaitPID(t, pid) }
	fifo := filepath.Join(t.TempDir(), "fifo")
	must(t, syscall.Mkfifo(fifo, 0o600))
	reader, err := os.OpenFile(fifo, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	must(t, err)
	defer reader.Close()
	failing := map[string]struct {
		program string
		during  func() // what happens while it is on probation
	}{
		"a program that cannot be executed": {"no program at all", func() {}},
		"a program that ends at once":       {"#!/bin/sh\nexit 0\n", func() {}},
		"a program that fails at once":      {"#!/bin/sh\nexit 2\n", func() {}},
		"a program that is killed":          {sleeper, func() { _ = syscall.Kill(started(), syscall.SIGKILL) }},
		"a program that never registers":    {sleeper, func() { started() }},
		"a program that leaves a process behind": {fmt.Sprintf("#!/bin/sh\nexec 3> %s\nsleep 600 &\nexit 0\n", fifo), func() {
			l.await("the old program stays")
			must(t, reader.SetReadDeadline(time.Now().Add(patience)))
			// The end comes when no process has it open for writing.
			if _, err := io.ReadAll(reader); err != nil {
				t.Errorf("the process that the program has started runs on: %v", err)
			}
		}},
		"a loss of power during probation": {sleeper, func() {
			l.kill(started())
			l.start()
		}},
	}
	for name, c := range failing {
		t.Run(name, func(t *testing.T) {
			defer l.in(t)()
			l.push(l.image([]byte(c.program), nil))
			l.reports(2, 0)
			l.execute()
			l.await("on probation")
			c.during()
			l.await("version 1.0.0 is registered")
			l.reads("/5/0/3", "2") // the image is still there
			l.reads("/5/0/5", "8")
			l.runs("1.0.0")
			l.write("")
			l.reports(0, 0)
		})
	}
	t.Run("a good program by push", func(t *testing.T) {
		defer l.in(t)()
		l.restart("-health-timeout", "1m")
		l.push(l.next())
		l.await("receiving [####################] 100 %")
		l.reports(2, 0)
		l.execute()
		l.await("version 2.0.0 has registered")
		l.await("version 2.0.0 is registered")
		l.reads("/5/0/3", "0")
		l.reads("/5/0/5", "1")
		l.runs("2.0.0")
	})
}

// TestUpdateOverDTLS: a device downloads its new program, over DTLS with its pre-shared key. The
// server reads State 3 while the program is on probation. It has to come up: first the server does
// not answer it, and then the same image works.
func TestUpdateOverDTLS(t *testing.T) {
	t.Parallel()
	key := socket.NewSecret([]byte("0123456789abcdef"))
	file := filepath.Join(t.TempDir(), "psk")
	must(t, os.WriteFile(file, []byte("30313233343536373839616263646566\n"), 0o600))
	srv := lwm2mtest.NewDTLSServer(t, endpoint, key)
	l := newLife(t, srv, "-psk-identity", endpoint, "-psk-file", file, "-health-timeout", healthTimeout.String())
	image := l.next()
	must(t, srv.ServeFile("/probe", lwm2mtest.File{Content: bytes.NewReader(image), Size: int64(len(image))}))
	l.write(srv.URI() + "/probe")
	l.await("receiving [####################] 100 %")
	l.reports(2, 0)

	srv.Intercept(func(r lwm2mtest.Request) (lwm2mtest.Reply, bool) {
		return lwm2mtest.Reply{}, strings.HasPrefix(r.Path, "/rd")
	})
	l.execute()
	l.await("on probation")
	l.await("the old program stays: the new program has not registered within " + healthTimeout.String())
	srv.Intercept(nil)
	l.await("version 1.0.0 is registered")
	l.reads("/5/0/3", "2")
	l.reads("/5/0/5", "8")
	l.runs("1.0.0")

	l.restart("-health-timeout", "1m")
	l.execute()
	l.await("on probation")
	l.await("version 2.0.0 is registered")
	l.reads("/5/0/3", "0")
	l.reads("/5/0/5", "1")
	l.runs("2.0.0")
	old, err := os.ReadFile(l.path + ".old")
	must(t, err)
	if want, err := os.ReadFile(build(t, "1.0.0")); err != nil || !bytes.Equal(old, want) {
		t.Errorf("the previous program is not kept (%v)", err)
	}
}

// TestKillAtEachStep kills the supervisor after each line that the device prints during the update
// to a program that works. The device starts again, and reports success if and only if the new
// program runs; otherwise the server executes Update again.
func TestKillAtEachStep(t *testing.T) {
	t.Parallel()
	l := newLife(t, lwm2mtest.NewServer(t), "-health-timeout", "1m")
	l.push(l.next())
	l.reports(2, 0)
	for _, line := range []string{"update state 3", "on probation", "has registered", "replaces the old one"} {
		l.execute()
		l.await(line)
		l.kill()
		l.start()
		running := "1.0.0"
		if strings.Contains(l.await("is registered with"), "2.0.0") {
			running = "2.0.0"
		}
		l.runs(running)
		t.Logf("killed after %q, version %s runs", line, running)
		if running == "2.0.0" {
			l.reads("/5/0/3", "0")
			l.reads("/5/0/5", "1")
			return
		}
		l.reads("/5/0/3", "2")
		l.reads("/5/0/5", "8")
	}
	t.Error("the program was not updated")
}

// awaitPID waits until a process has written its ID to a file, and removes the file.
func awaitPID(t *testing.T, file string) int {
	t.Helper()
	timeout, tick := time.After(patience), time.NewTicker(10*time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-timeout:
			t.Fatal("the program was not started")
		}
		text, err := os.ReadFile(file)
		if err != nil {
			continue
		}
		must(t, os.Remove(file))
		pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
		must(t, err)
		return pid
	}
}
