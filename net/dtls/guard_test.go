package dtls

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// forged makes a plaintext record.
func forged(typ uint8, epoch uint16, seq uint64, body ...byte) []byte {
	b := []byte{typ, 0xfe, 0xfd}
	b = binary.BigEndian.AppendUint64(b, uint64(epoch)<<48|seq)
	b = binary.BigEndian.AppendUint16(b, uint16(len(body)))
	return append(b, body...)
}

// TestForgedRecordsChangeNothing injects records of every type at every position of a datagram,
// from the server's address and from others.
func TestForgedRecordsChangeNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		var fromServer []byte
		var alerts int
		w.net.SetFilter(func(p simnet.Packet) bool {
			if p.From.Port() == 5684 {
				fromServer = append(fromServer[:0], p.Data...)
			} else if p.Data[0] == typeAlert {
				alerts++
			}
			return true
		})
		startPion(t, w.packets, pskServer()...)
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "before")
		genuine := append([]byte(nil), fromServer...)
		at := s.Able.Addresses
		stranger := netip.AddrPortFrom(w.net.NewHost("stranger").Addrs()[0], 5684)
		hello := forged(typeHandshake, 0, 9, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0)
		for typ := range 256 {
			for _, epoch := range []uint16{0, 1, 2, 65535} {
				for _, body := range [][]byte{nil, {1}, {2, 40}, {1, 0}, make([]byte, 40)} {
					evil := forged(uint8(typ), epoch, 1<<40, body...)
					for _, from := range []netip.AddrPort{at.RemoteAddr(), stranger} {
						w.net.Inject(from, at.LocalAddr(), evil)
						w.net.Inject(from, at.LocalAddr(), append(append([]byte(nil), genuine...), evil...))
						w.net.Inject(from, at.LocalAddr(), append(append([]byte(nil), hello...), evil...))
					}
				}
			}
			s.SetRecvDeadline(socket.NoWait())
			n, err := s.Recv(make([]byte, 100))
			if errors.Is(err, errForgotten) && (typ == typeAlert || typ == typeHandshake) {
				n, err = s.Recv(make([]byte, 100)) // a sign changes nothing
			}
			if !errors.Is(err, socket.ErrTimeout) {
				t.Fatalf("type %d: Recv returned %d, %v", typ, n, err)
			}
		}
		mustEcho(t, s, "after")
		if alerts != 0 {
			t.Errorf("%d alerts were sent", alerts)
		}
		for i := range genuine { // every damaged copy is dropped, too
			bad := append([]byte(nil), genuine...)
			bad[i] ^= 1
			w.net.Inject(at.RemoteAddr(), at.LocalAddr(), bad)
			w.net.Inject(at.RemoteAddr(), at.LocalAddr(), genuine[:i])
		}
		s.SetRecvDeadline(socket.NoWait())
		if n, err := s.Recv(make([]byte, 100)); !errors.Is(err, socket.ErrTimeout) {
			t.Fatalf("damaged: Recv returned %d, %v", n, err)
		}
		mustEcho(t, s, "at the end")
	})
}

// TestForgedDuringHandshake: records that are not part of a handshake do not end it.
func TestForgedDuringHandshake(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		from := netip.AddrPortFrom(w.server.Addrs()[0], 5684)
		to := netip.AddrPortFrom(w.device.Addrs()[0], 49152)
		mustDefault(t, w, simnet.Link{Delay: 100 * time.Millisecond})
		startPion(t, w.packets, pskServer()...)
		go func() {
			for i := range 60 {
				<-time.After(10 * time.Millisecond)
				w.net.Inject(from, to, forged(typeApplicationData, 0, uint64(i), 1, 2, 3))
				w.net.Inject(from, to, forged(99, 0, uint64(i), 1))
				w.net.Inject(from, to, forged(typeChangeCipherSpec, 0, uint64(i), 7))
				w.net.Inject(from, to, []byte("not DTLS at all"))
				w.net.Inject(from, to, nil)
			}
		}()
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "hello")
	})
}

func TestReplaysAreDropped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		mustDefault(t, w, simnet.Link{Duplicate: 1})
		startPion(t, w.packets, pskServer()...)
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		for i := range 200 {
			text := fmt.Sprint("message ", i)
			mustEcho(t, s, text)
			s.SetRecvDeadline(socket.NoWait())
			if n, err := s.Recv(make([]byte, 100)); !errors.Is(err, socket.ErrTimeout) {
				t.Fatalf("a duplicate was received: %d, %v", n, err)
			}
		}
	})
}

func TestWindow(t *testing.T) {
	var w window
	for _, c := range []struct {
		seq           uint64
		fresh, newest bool
	}{
		{5, true, true}, {5, false, false}, {4, true, false}, {4, false, false}, {6, true, true}, {0, true, false},
		{69, true, true}, {6, false, false}, {7, true, false}, {5, false, false}, {1000, true, true}, {936, false, false},
		{937, true, false}, {937, false, false}, {maxSequence, true, true}, {1000, false, false}, {maxSequence, false, false},
	} {
		if got := w.isFresh(c.seq); got != c.fresh {
			t.Fatalf("isFresh(%d) is %v", c.seq, got)
		}
		if c.fresh && w.mark(c.seq) != c.newest {
			t.Fatalf("mark(%d) is %v", c.seq, !c.newest)
		}
	}
}

// TestFailuresExplainThemselves: the error of Connect says why a handshake failed.
func TestFailuresExplainThemselves(t *testing.T) {
	timers := func(s *socket.Security) { s.HandshakeMin, s.HandshakeMax = time.Second, 4*time.Second }
	for _, c := range []struct {
		name   string
		change func(*socket.Security)
		server []pion.ServerOption // nil: no server
		is     error
		text   string
	}{
		{"wrong key", func(s *socket.Security) { s.Key = socket.NewSecret([]byte("another key")) }, pskServer(), socket.ErrTimeout, "the key is probably wrong"},
		{"wrong identity", func(s *socket.Security) { s.Identity = []byte("who") }, pskServer(), &socket.AlertError{Description: socket.AlertInternalError}, "do not know the identity"},
		{"nobody", func(*socket.Security) {}, nil, socket.ErrTimeout, "none received"},
		{"no common suite", func(s *socket.Security) { s.CipherSuites = []socket.CipherSuite{0x00a8} }, pskServer(),
			&socket.AlertError{Description: socket.AlertInsufficientSecurity}, "TLS_PSK_WITH_AES_128_GCM_SHA256 (0x00,0xA8)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				if c.server != nil {
					startPion(t, w.packets, c.server...)
				} else {
					defer w.packets.Close()
				}
				sec := pskSecurity()
				timers(&sec)
				c.change(&sec)
				s := w.socket(t, sec)
				start := time.Now()
				err := s.Connect(context.Background(), serverEnd)
				if !errors.Is(err, c.is) || !strings.Contains(err.Error(), c.text) {
					t.Fatalf("error %v", err)
				}
				if d := time.Since(start); c.is == socket.ErrTimeout && (d < 7*time.Second || d > 25*time.Second) {
					t.Errorf("it took %v, want the sum of the waits 1 s, 2 s and 4 s, at most once per flight", d)
				}
				if s.State() != socket.StateClosed {
					t.Error(s.State())
				}
				for _, secret := range []string{string(testKey), "another key"} {
					if strings.Contains(fmt.Sprintf("%v %+v %#v", err, s, s), secret) {
						t.Errorf("the key shows")
					}
				}
				t.Log(err)
			})
		})
	}
}

func TestRefusedPort(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		_ = w.packets.Close()
		s := w.socket(t, pskSecurity())
		if err := s.Connect(context.Background(), serverEnd); !errors.Is(err, socket.ErrRefused) {
			t.Fatal(err)
		}
	})
}

func TestConnectEndsWithItsContextAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		defer w.packets.Close()
		s := w.socket(t, pskSecurity())
		ctx, cancel := context.WithTimeout(context.Background(), 1500*time.Millisecond)
		defer cancel()
		start := time.Now()
		err := s.Connect(ctx, serverEnd)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != 1500*time.Millisecond {
			t.Fatalf("after %v: %v", time.Since(start), err)
		}
	})
}

// TestPeerEnds: close_notify of the server ends the connection, for Recv and for Send.
func TestPeerEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		p := startPion(t, w.packets, pskServer()...)
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "hello")
		_ = p.conn.Close()
		s.SetRecvDeadline(time.Now().Add(time.Second))
		for range 2 {
			_, err := s.Recv(make([]byte, 10))
			if !errors.Is(err, socket.ErrReset) || !errors.Is(err, &socket.AlertError{Description: socket.AlertCloseNotify}) {
				t.Fatalf("Recv: %v", err)
			}
		}
		if err := s.Send([]byte("x")); !errors.Is(err, socket.ErrReset) {
			t.Fatalf("Send: %v", err)
		}
		if !s.State().Open() {
			t.Errorf("the state has changed by itself to %v", s.State())
		}
		_ = s.Close()
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "again")
	})
}

// A plaintext fatal alert, HelloRequest or ClientHello from the server's address says that the
// server may have forgotten the session: Recv returns ErrRefused, at most once a second, and the
// connection goes on.
func TestServerThatMayHaveForgotten(t *testing.T) {
	hello := func(typ byte) []byte { return append([]byte{typ}, make([]byte, messageHead)...) }
	for name, c := range map[string]struct {
		record []byte
		sign   bool
	}{
		"fatal alert":   {forged(typeAlert, 0, 7, 2, 10), true},
		"warning":       {forged(typeAlert, 0, 7, 1, 0), false},
		"HelloRequest":  {forged(typeHandshake, 0, 7, hello(0)...), true},
		"ClientHello":   {forged(typeHandshake, 0, 7, hello(1)...), true},
		"ServerHello":   {forged(typeHandshake, 0, 7, hello(2)...), false},
		"cut off alert": {forged(typeAlert, 0, 7, 2), false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				startPion(t, w.packets, pskServer()...)
				s := w.socket(t, pskSecurity())
				mustConnect(t, s, serverEnd)
				mustEcho(t, s, "before")
				at := s.Able.Addresses
				for second := range 3 {
					for range 5 {
						w.net.Inject(at.RemoteAddr(), at.LocalAddr(), c.record)
					}
					s.SetRecvDeadline(socket.NoWait())
					signs := 0
					for {
						_, err := s.Recv(make([]byte, 100))
						if errors.Is(err, socket.ErrTimeout) {
							break
						}
						if !errors.Is(err, socket.ErrRefused) {
							t.Fatal(err)
						}
						signs++
					}
					if want := map[bool]int{true: 1}[c.sign]; signs != want {
						t.Errorf("second %d: %d signs, want %d", second, signs, want)
					}
					<-time.After(time.Second)
				}
				mustEcho(t, s, "after")
			})
		})
	}
}
