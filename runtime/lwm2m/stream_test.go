package lwm2m_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// The last message on a stream is Release (RFC 8323 §5.5), after the de-registration.
func TestShutdownReleasesStream(t *testing.T) {
	behind, err := tcp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	srv := lwm2mtest.NewServer(t, behind)
	addr, heard := tap(t, srv.Addr().String())
	c, err := lwm2m.New(lwm2m.Config{
		Endpoint: "dev", Objects: []dm.Object{newDevice(t)}, Logger: quiet(),
		Servers: []lwm2m.Server{{URI: "coap+tcp://" + addr, Lifetime: time.Hour}},
		Dialers: []socket.Dialer{tcp.Dialer{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	srv.WaitRegistered("dev")
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if sent := <-heard; !bytes.HasSuffix(sent, []byte{0x00, 0xe4}) {
		t.Errorf("the device ended the stream with % x, want an empty 7.04", sent[max(0, len(sent)-8):])
	}
}

// tap forwards one connection to a server. The channel gets all that the device has sent when the
// connection ends.
func tap(t *testing.T, server string) (addr string, heard <-chan []byte) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	result := make(chan []byte, 1)
	go func() {
		var sent bytes.Buffer
		defer func() { result <- sent.Bytes() }()
		front, err := l.Accept()
		if err != nil {
			return
		}
		defer front.Close()
		back, err := net.Dial("tcp", server)
		if err != nil {
			return
		}
		defer back.Close()
		go func() { _, _ = io.Copy(front, back) }()
		_, _ = io.Copy(io.MultiWriter(&sent, back), front)
	}()
	return l.Addr().String(), result
}

// A stream that ends before the response to Register is a failed attempt. A stream that ends while
// the next attempt is planned changes nothing.
func TestStreamEndsBeforeResponse(t *testing.T) {
	for name, c := range map[string]struct {
		answers        func(request) answer
		attempts       int
		earliest, last time.Duration
	}{
		// The first retry comes soon and is no failed attempt.
		"unanswered": {func(request) answer { return answer{} }, 0, time.Second, 2 * time.Second},
		"refused":    {refuse, 1, time.Minute, time.Minute},
	} {
		t.Run(name, func(t *testing.T) {
			inWorld(t, 1, func(w *world) {
				cfg := w.config()
				cfg.Servers[0].URI = "coap+tcp://s1"
				srv := w.servers[0]
				srv.answers(c.answers)
				w.start(cfg)
				first := srv.next()
				synctest.Wait()
				srv.sched.Post(func() { _ = srv.conn.Socket().Close() })
				s := w.wantState(1, lwm2m.StateError)
				if name == "unanswered" && !strings.Contains(s.Err.Error(), "the connection ended") ||
					s.Attempts != c.attempts {
					t.Errorf("status %+v", s)
				}
				if n := len(w.sockets()); n != 0 {
					t.Errorf("%d sockets", n)
				}
				srv.answers(nil)
				if r := srv.next(); r.path != "/rd" || r.at.Sub(first.at) < c.earliest || r.at.Sub(first.at) > c.last {
					t.Errorf("%v after %v", r, r.at.Sub(first.at))
				}
				w.wantState(1, lwm2m.StateRegistered)
			})
		})
	}
}

func TestStreamReconnects(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg := w.config()
		cfg.Servers[0].URI = "coap+tcp://s1"
		w.start(cfg)
		srv := w.servers[0]
		if r := srv.next(); !r.has("b=UT") {
			t.Errorf("got %v, want b=UT", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
		<-time.After(time.Minute)
		srv.sched.Post(func() { _ = srv.conn.Socket().Close() })
		if r := srv.within(time.Minute); r.path != "/rd" {
			t.Errorf("after the connection ended %v, want a Register", r)
		}
		w.wantState(1, lwm2m.StateRegistered)
		// At once again: the server may have restarted. The client tries once more after a short
		// pause and is in no hurry after that.
		srv.sched.Post(func() { _ = srv.conn.Socket().Close() })
		srv.quiet(time.Second - time.Nanosecond)
		srv.within(time.Second + time.Nanosecond)
		w.wantState(1, lwm2m.StateRegistered)
		srv.sched.Post(func() { _ = srv.conn.Socket().Close() })
		srv.quiet(59 * time.Second)
		w.wantState(1, lwm2m.StateError)
		srv.within(2 * time.Second)
		w.wantState(1, lwm2m.StateRegistered)
	})
}
