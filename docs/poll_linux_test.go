package docs_test

import (
	"context"
	"fmt"
	"log/slog"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

// pollfd is struct pollfd of poll(2).
type pollfd struct {
	fd              int32
	events, revents int16
}

const pollIn = 1

// poll waits until a descriptor is readable and sets its revents. It waits at most for wait.
func poll(fds []pollfd, wait time.Duration) {
	t := syscall.NsecToTimespec(int64(wait))
	_, _, _ = syscall.Syscall6(syscall.SYS_PPOLL, uintptr(unsafe.Pointer(&fds[0])), uintptr(len(fds)), uintptr(unsafe.Pointer(&t)), 0, 0, 0)
}

// drain reads all bytes of a pipe.
func drain(pipe int) {
	var b [64]byte
	for n := len(b); n == len(b); {
		n, _ = syscall.Read(pipe, b[:])
	}
}

// polling is the loop that docs/loop.md prints.
func polling(loop *lwm2m.Loop, pipe [2]int, ended <-chan struct{}) {
	serving := context.Background()
	loop.Sched().OnWake(func() { _, _ = syscall.Write(pipe[1], []byte{0}) })
	for {
		wait := loop.Sched().Wait(time.Minute)
		fds := []pollfd{{fd: int32(pipe[0]), events: pollIn}}
		sockets := loop.Sockets()
		for _, s := range sockets {
			p := pollfd{fd: -1, events: pollIn}
			if h := socket.Detect(s.Net()).Handle; h != nil {
				_ = h.SystemHandle(func(fd uintptr) { p.fd = int32(fd) })
			}
			if b := socket.Detect(s.Net()).Buffered; b != nil && b.HasBuffered() {
				wait = 0
			}
			fds = append(fds, p)
		}
		poll(fds, wait)
		drain(pipe[0])
		for i, s := range sockets {
			b := socket.Detect(s.Net()).Buffered
			if fds[i+1].revents != 0 || b != nil && b.HasBuffered() {
				_ = loop.Serve(serving, s)
			}
		}
		loop.Sched().Run()
		select {
		case <-ended:
			return
		default:
		}
	}
}

// A loop on the system's poll serves several clients while servers are added and removed.
func TestLoopOnSystemPoll(t *testing.T) {
	var pipe [2]int
	if err := syscall.Pipe2(pipe[:], syscall.O_NONBLOCK|syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer syscall.Close(pipe[0])
	defer syscall.Close(pipe[1])
	first, second := lwm2mtest.NewServer(t), lwm2mtest.NewServer(t)
	loop, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
	if err != nil {
		t.Fatal(err)
	}
	ended, done := make(chan struct{}), make(chan struct{})
	go func() { defer close(done); polling(loop, pipe, ended) }()
	defer func() { close(ended); loop.Sched().Wake(); <-done }()

	for i := range 3 {
		name := fmt.Sprint("end-", i)
		client, sec, srv, err := newAccounts(loop, name, first.URI())
		if err != nil {
			t.Fatal(err)
		}
		defer func() { client.Shutdown(); <-client.Done() }()
		dev := first.WaitRegistered(name)
		if ans, err := dev.Read(t.Context(), "/3303/0/5700", content.Text); err != nil || ans.Text() != "20" {
			t.Error(ans, err)
		}
		if err := addServer(sec, srv, second.URI()); err != nil {
			t.Fatal(err)
		}
		second.WaitRegistered(name)
		if err := removeServer(t.Context(), sec, srv); err != nil {
			t.Fatal(err)
		}
		second.WaitEvent(0, lwm2mtest.Deregistered, name)
	}
}

// newAccounts returns a client with the Security and Server objects that define its servers.
func newAccounts(loop *lwm2m.Loop, name, uri string) (*lwm2m.Client, *security.Object, *server.Object, error) {
	temp, err := temperature.New(temperature.Config{})
	if err != nil {
		return nil, nil, nil, err
	}
	if err := temp.Add(0, temperature.Instance{SensorValue: dm.Float(20)}); err != nil {
		return nil, nil, nil, err
	}
	sec, err := security.New(security.Config{})
	if err != nil {
		return nil, nil, nil, err
	}
	srv, err := server.New(server.Config{})
	if err != nil {
		return nil, nil, nil, err
	}
	s, v, err := lwm2m.Server{URI: uri, ShortID: 1}.Instances()
	if err != nil {
		return nil, nil, nil, err
	}
	if err := sec.Add(0, s); err != nil {
		return nil, nil, nil, err
	}
	if err := srv.Add(0, v); err != nil {
		return nil, nil, nil, err
	}
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: name, Objects: []dm.Object{sec, srv, temp}, Loop: loop, Logger: slog.New(slog.DiscardHandler),
	})
	return client, sec, srv, err
}

// addServer is the code that docs/registration.md prints.
func addServer(sec *security.Object, srv *server.Object, uri string) error {
	s, v, err := lwm2m.Server{URI: uri, ShortID: 2, Lifetime: time.Hour}.Instances()
	if err != nil {
		return err
	}
	if err := sec.Add(1, s); err != nil {
		return err
	}
	return srv.Add(1, v)
}

func removeServer(ctx context.Context, sec *security.Object, srv *server.Object) error {
	if err := srv.Remove(ctx, 1); err != nil {
		return err
	}
	return sec.Remove(ctx, 1)
}
