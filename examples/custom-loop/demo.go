package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// demonstrate runs the loop and a server in this process. The server observes the button.
func demonstrate(ctx context.Context, out io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	out = &locked{out: out}
	p := &program{}
	defer p.cleanup()
	srv := lwm2mtest.NewServer(p)
	presses := make(chan time.Time)
	done := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() { done <- loop(running, out, srv.URI(), presses) }()

	dev := srv.WaitRegistered("button")
	o, first, err := dev.Observe(ctx, "/3347/0/5501", content.Text)
	if err != nil || o == nil {
		stop()
		<-done
		return fmt.Errorf("observe the button: %v, %w", first, err)
	}
	fmt.Fprintf(out, "server: observes /3347/0/5501: %v\n", first)
	for range 3 {
		select {
		case presses <- time.Now():
		case <-ctx.Done(): // the loop may have ended
		}
		a, err := o.Next(ctx)
		if err != nil {
			break
		}
		fmt.Fprintf(out, "server: notified of /3347/0/5501: %v\n", a)
	}
	stop()
	return <-done
}

// locked is a writer that device and server can use concurrently.
type locked struct {
	mu  sync.Mutex
	out io.Writer
}

func (l *locked) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.out.Write(b)
}

// program is the lwm2mtest.TB of a program.
type program struct{ cleanups []func() }

func (p *program) Helper() {}

func (p *program) Cleanup(fn func()) { p.cleanups = append(p.cleanups, fn) }

func (p *program) Fatalf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "custom-loop: "+format+"\n", args...)
	os.Exit(1)
}

func (p *program) cleanup() {
	for _, fn := range p.cleanups {
		fn()
	}
}
