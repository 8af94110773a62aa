package socket_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// TestInboxIsAQueue compares an Inbox with a simple model over a long random history.
func TestInboxIsAQueue(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	b := socket.NewInbox(socket.Datagram, 4000)
	b.Open()
	b.SetRecvDeadline(socket.NoWait())
	type item struct {
		data []byte
		cut  bool
		err  error
	}
	var model []item
	size, full := 0, 0
	buf := make([]byte, 300)
	for i := range 100_000 {
		switch op := rng.IntN(100); {
		case op < 45:
			data := bytes.Repeat([]byte{byte(i)}, rng.IntN(400))
			put, cut := b.Put, op < 3
			if cut {
				put = b.PutCut
			}
			fits := len(model) == 0 || size+len(data)+32*len(model) <= 4000
			if got := put(data); got != fits {
				t.Fatalf("step %d: Put of %d bytes over %d in %d: %v", i, len(data), size, len(model), got)
			}
			if !fits {
				full++
				continue
			}
			model = append(model, item{data: data, cut: cut})
			size += len(data)
		case op < 47 && size+32*len(model) <= 4000:
			b.PutError(io.ErrUnexpectedEOF)
			model = append(model, item{err: io.ErrUnexpectedEOF})
		default:
			n, err := b.Recv(buf)
			want := item{err: socket.ErrTimeout}
			if len(model) > 0 {
				want, model = model[0], model[1:]
				size -= len(want.data)
			}
			if want.err == nil && (want.cut || len(want.data) > len(buf)) {
				want.err, want.data = socket.ErrMessageTooLong, want.data[:min(len(want.data), len(buf))]
			}
			if !errors.Is(err, want.err) || !bytes.Equal(buf[:n], want.data) {
				t.Fatalf("step %d: %d bytes, %v; want %d, %v", i, n, err, len(want.data), want.err)
			}
		}
	}
	if full < 100 {
		t.Errorf("it was full %d times only", full)
	}
}

func TestInboxOfAStream(t *testing.T) {
	b := socket.NewInbox(socket.Stream, 10)
	b.Open()
	b.SetRecvDeadline(socket.NoWait())
	if !b.Put([]byte("0123456")) || b.Room() != 3 || b.Put([]byte("789a")) || !b.Put([]byte("789")) || b.Room() != 0 {
		t.Fatal("the limit is not kept")
	}
	b.PutError(io.EOF)
	b.PutError(socket.ErrReset) // too late
	if b.Put([]byte("x")) {
		t.Error("data after the end is taken")
	}
	buf := make([]byte, 4)
	for _, want := range []string{"0123", "4567", "89"} {
		if n, err := b.Recv(buf); err != nil || string(buf[:n]) != want {
			t.Fatalf("%q, %v; want %q", buf[:n], err, want)
		}
	}
	for range 2 {
		if _, err := b.Recv(buf); err != io.EOF {
			t.Fatalf("%v, want EOF", err)
		}
	}
}

func TestInboxWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := socket.NewInbox(socket.Datagram, 0)
		buf := make([]byte, 10)
		if _, err := b.Recv(buf); !errors.Is(err, socket.ErrClosed) {
			t.Errorf("a new inbox: %v", err)
		}
		b.Open()
		elapsed := func(f func()) time.Duration { start := time.Now(); f(); return time.Since(start) }
		recv := func(want error) func() {
			return func() {
				if _, err := b.Recv(buf); err != want {
					t.Errorf("%v, want %v", err, want)
				}
			}
		}
		b.SetRecvDeadline(time.Now().Add(time.Hour))
		if d := elapsed(recv(socket.ErrTimeout)); d != time.Hour {
			t.Errorf("it waited %v", d)
		}
		b.SetRecvDeadline(time.Now().Add(time.Hour))
		time.AfterFunc(time.Minute, func() { b.SetRecvDeadline(time.Now().Add(2 * time.Hour)) })
		if d := elapsed(recv(socket.ErrTimeout)); d != 2*time.Hour+time.Minute {
			t.Errorf("with a deadline moved on it waited %v", d)
		}
		b.SetRecvDeadline(time.Time{})
		time.AfterFunc(time.Minute, func() { b.SetRecvDeadline(socket.NoWait()) })
		if d := elapsed(recv(socket.ErrTimeout)); d != time.Minute {
			t.Errorf("it was woken after %v", d)
		}
		b.SetRecvDeadline(time.Time{})
		time.AfterFunc(time.Minute, func() { b.Put(nil) })
		if d := elapsed(recv(nil)); d != time.Minute {
			t.Errorf("data woke it after %v", d)
		}
		time.AfterFunc(time.Minute, b.Close)
		if d := elapsed(recv(socket.ErrClosed)); d != time.Minute {
			t.Errorf("Close woke it after %v", d)
		}
		if b.Put(buf) {
			t.Error("a closed inbox takes data")
		}
	})
}

func TestInboxNotifies(t *testing.T) {
	b := socket.NewInbox(socket.Datagram, 0)
	b.Open()
	b.Put(nil)
	calls := 0
	expect := func(what string, want int) {
		t.Helper()
		if calls != want {
			t.Errorf("%s: %d calls, want %d", what, calls, want)
		}
		calls = 0
	}
	b.NotifyReadable(func() { calls++ })
	expect("data that waits", 1)
	b.Put(nil)
	expect("data", 1)
	b.PutError(socket.ErrRefused)
	expect("an error", 1)
	b.Close()
	expect("Close", 1)
	b.Close()
	expect("a second Close", 0)
	b.Open()
	b.NotifyReadable(nil)
	b.Put(nil)
	expect("data, without a function", 0)
}

func TestInboxAllocatesNothing(t *testing.T) {
	b := socket.NewInbox(socket.Datagram, 0)
	b.Open()
	b.NotifyReadable(func() {})
	p := make([]byte, 1000)
	n := testing.AllocsPerRun(1000, func() {
		b.Put(p)
		b.Put(p)
		_, _ = b.Recv(p)
		_, _ = b.Recv(p)
		b.SetRecvDeadline(socket.NoWait())
		_, _ = b.Recv(p)
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// Data that a connection delivers after the next one has begun is not delivered to the next one.
func TestFeedEndsWithItsConnection(t *testing.T) {
	for _, kind := range []socket.Kind{socket.Datagram, socket.Stream} {
		b := socket.NewInbox(kind, 0)
		b.Open()
		old := b.Feed()
		if !old.Put([]byte("first")) {
			t.Errorf("%v: the feed of the connection is refused", kind)
		}
		b.Close()
		b.Open()
		if old.Put([]byte("late")) || old.PutCut([]byte("late")) {
			t.Errorf("%v: the feed of an old connection is taken", kind)
		}
		old.PutError(io.EOF)
		if b.HasBuffered() {
			t.Errorf("%v: something of the old connection waits in the new one", kind)
		}
		if !b.Feed().Put([]byte("second")) || b.Feed().Room() != b.Room() {
			t.Errorf("%v: the feed of the new connection is refused", kind)
		}
		buf := make([]byte, 10)
		if n, err := b.Recv(buf); err != nil || string(buf[:n]) != "second" {
			t.Errorf("%v: %q, %v", kind, buf[:n], err)
		}
	}
}

// TestZeroInbox: the zero value is a closed inbox for datagrams, whose Recv can be woken.
func TestZeroInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var port struct {
			inbox socket.Inbox
			feed  socket.Feed
		}
		b := &port.inbox
		b.SetRecvDeadline(time.Time{})
		b.NotifyReadable(func() {})
		b.PutError(io.EOF)
		b.Close()
		if b.Put([]byte("x")) || port.feed.Put([]byte("x")) || port.feed.PutCut(nil) || b.Room() != 0 ||
			port.feed.Room() != 0 || b.HasBuffered() {
			t.Error("a closed inbox takes data")
		}
		port.feed.PutError(io.EOF)
		if _, err := b.Recv(nil); !errors.Is(err, socket.ErrClosed) {
			t.Errorf("Recv: %v, want ErrClosed", err)
		}
		b.Open()
		if got := b.Room(); got != 64<<10 {
			t.Errorf("room for %d bytes", got)
		}
		time.AfterFunc(time.Minute, func() { b.Put([]byte("datagram")) })
		buf := make([]byte, 4)
		if n, err := b.Recv(buf); string(buf[:n]) != "data" || !errors.Is(err, socket.ErrMessageTooLong) {
			t.Errorf("Recv: %q, %v", buf[:n], err)
		}
		time.AfterFunc(time.Minute, func() { b.SetRecvDeadline(socket.NoWait()) })
		if _, err := b.Recv(buf); err != socket.ErrTimeout { // it is promised exactly
			t.Errorf("Recv: %v, want ErrTimeout", err)
		}
		b.SetRecvDeadline(time.Time{})
		time.AfterFunc(time.Minute, b.Close)
		if _, err := b.Recv(buf); !errors.Is(err, socket.ErrClosed) {
			t.Errorf("Recv: %v, want ErrClosed", err)
		}
	})
}
