package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// tour runs the device and a server in this process, over real UDP, and performs operations on it.
func tour(ctx context.Context, out io.Writer, endpoint string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	say := printer(out)
	p := &program{}
	defer p.cleanup()
	srv := lwm2mtest.NewServer(p)
	device := make(chan error, 1)
	running, stop := context.WithCancel(ctx)
	go func() {
		device <- serve(running, lineWriter(say), endpoint, lwm2m.Server{URI: srv.URI(), Lifetime: 5 * time.Minute})
	}()

	dev := srv.WaitRegistered(endpoint)
	reg := dev.Registration()
	say("server: %s registered for %v with LwM2M %s", reg.Endpoint, reg.Lifetime, reg.Version)
	err := use(ctx, say, dev)
	stop()
	if e := <-device; err == nil {
		err = e
	}
	srv.WaitEvent(0, lwm2mtest.Deregistered, endpoint)
	say("server: %s de-registered", endpoint)
	return err
}

// use performs one operation of each kind and prints the result.
func use(ctx context.Context, say func(string, ...any), dev *lwm2mtest.Client) error {
	show := func(what string, a lwm2mtest.Answer, err error) error {
		if err == nil {
			say("server: %-42s -> %v", what, a)
		}
		return err
	}
	read := func(path string) error {
		a, err := dev.Read(ctx, path, content.Text)
		return show("read "+path, a, err)
	}
	write := func(path, value string) error {
		a, err := dev.Write(ctx, path, content.Text, []byte(value))
		return show(fmt.Sprintf("write %s = %s", path, value), a, err)
	}
	steps := []func() error{
		func() error { return read("/3303/0/5700") },
		func() error { return read("/3/0/0") },
		func() error { return write("/42769/0/1", "30") },
		func() error { return write("/42769/0/1", "3") },   // below the low limit: Validate refuses
		func() error { return write("/42769/0/1", "10") },  // the board refuses: Commit fails
		func() error { return write("/42769/0/1", "200") }, // outside of the range
		func() error { return read("/42769/0/1") },
		func() error {
			a, err := dev.Execute(ctx, "/42769/0/3", "0='3'")
			return show("execute /42769/0/3 0='3'", a, err)
		},
		func() error { return observe(ctx, say, dev, show) },
	}
	for _, step := range steps {
		if err := step(); err != nil {
			return err
		}
	}
	return nil
}

// observe observes the live sensor and prints two notifications.
func observe(
	ctx context.Context, say func(string, ...any), dev *lwm2mtest.Client,
	show func(string, lwm2mtest.Answer, error) error,
) error {
	a, err := dev.WriteAttributes(ctx, "/3303/0/5700", "pmin=1", "pmax=2")
	if err := show("attributes of /3303/0/5700: pmin=1 pmax=2", a, err); err != nil {
		return err
	}
	o, a, err := dev.Observe(ctx, "/3303/0/5700", content.Text)
	if err := show("observe /3303/0/5700", a, err); err != nil {
		return err
	}
	for range 2 {
		a, err := o.Next(ctx)
		if err != nil {
			return err
		}
		say("server: %-42s -> %v", "notification of /3303/0/5700", a)
	}
	_, err = o.Cancel(ctx)
	return err
}

// program is the lwm2mtest.TB of a program.
type program struct{ cleanups []func() }

func (p *program) Helper() {}

func (p *program) Cleanup(fn func()) { p.cleanups = append(p.cleanups, fn) }

func (p *program) Fatalf(format string, args ...any) {
	fmt.Fprintf(os.Stderr, "thermometer: "+format+"\n", args...)
	os.Exit(1)
}

func (p *program) cleanup() {
	for _, fn := range p.cleanups {
		fn()
	}
}

// lineWriter returns a writer that passes whole lines to say, so that the lines of device and
// server do not mix.
func lineWriter(say func(string, ...any)) io.Writer { return writerFunc(say) }

type writerFunc func(string, ...any)

func (w writerFunc) Write(b []byte) (int, error) {
	w("%s", b[:max(len(b)-1, 0)])
	return len(b), nil
}
