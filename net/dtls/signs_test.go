package dtls

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
)

// reported is what a Connect reports while it goes on.
type reported struct {
	mu    sync.Mutex
	start time.Time
	errs  []error
	after []time.Duration
}

func (r *reported) context() context.Context {
	r.start = time.Now()
	return socket.WithProgress(context.Background(), func(err error) {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.errs, r.after = append(r.errs, err), append(r.after, time.Since(r.start))
	})
}

// want fails unless the sign that is reported as number i is target, contains text and comes within
// d.
func (r *reported) want(t *testing.T, i int, target error, text string, d time.Duration) {
	t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.errs) <= i {
		t.Fatalf("%d signs are reported: %v", len(r.errs), r.errs)
	}
	if err := r.errs[i]; !errors.Is(err, target) || !strings.Contains(err.Error(), text) || r.after[i] > d {
		t.Errorf("after %v: %v, want %q within %v", r.after[i], err, text, d)
	}
}

// numericEnd returns the one address that the server is tried at.
func numericEnd(w *world) socket.Endpoint {
	return socket.Endpoint{Host: w.server.Addrs()[0].String(), Port: 5684}
}

// The first refusal by the network is reported at once, and the second one ends Connect, with an
// error that says so once.
func TestRefusedPortIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		_ = w.packets.Close()
		s := w.socket(t, pskSecurity())
		var r reported
		err := s.Connect(r.context(), numericEnd(w))
		if d := time.Since(r.start); !errors.Is(err, socket.ErrRefused) || d != time.Second {
			t.Errorf("after %v: %v", d, err)
		}
		if n := strings.Count(err.Error(), "refused"); n != 1 || strings.Count(err.Error(), "handshake") != 1 {
			t.Errorf("the error repeats itself: %v", err)
		}
		r.want(t, 0, socket.ErrRefused, "refused", 0)
		if len(r.errs) != 1 {
			t.Errorf("signs %v", r.errs)
		}
	})
}

// A server that starts between the first ClientHello and its repetition is reached.
func TestServerStartsAfterRefusal(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		_ = w.packets.Close()
		time.AfterFunc(500*time.Millisecond, func() {
			packets, err := w.server.ListenPacket(5684)
			if err != nil {
				t.Error(err)
				return
			}
			startPion(t, packets, pskServer()...)
		})
		s := w.socket(t, pskSecurity())
		mustConnect(t, s, serverEnd)
		mustEcho(t, s, "hello")
	})
}

// A flight without an answer is reported when it is repeated.
func TestSilenceIsReported(t *testing.T) {
	for _, c := range []struct {
		name  string
		serve func(*testing.T, *world)
		text  string
	}{
		{"nobody", func(t *testing.T, w *world) { t.Cleanup(func() { _ = w.packets.Close() }) }, "no answer to ClientHello"},
		{"wrong key", func(t *testing.T, w *world) { startPion(t, w.packets, pskServer()...) }, "no answer to Finished, often a wrong key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				c.serve(t, w)
				sec := pskSecurity()
				sec.Key = socket.NewSecret([]byte("another key"))
				sec.HandshakeMin, sec.HandshakeMax = time.Second, 4*time.Second
				s := w.socket(t, sec)
				var r reported
				if err := s.Connect(r.context(), numericEnd(w)); !errors.Is(err, socket.ErrTimeout) {
					t.Error(err)
				}
				r.want(t, 0, socket.ErrTimeout, c.text, time.Second)
				if len(r.errs) != 1 {
					t.Errorf("signs %v", r.errs)
				}
			})
		})
	}
}

// An alert is reported at once. It ends the handshake if the server sends nothing else. In the
// meantime the device sends nothing: a server that has ended this handshake would take a repeated
// flight for the begin of another one.
func TestAlertIsReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		alerted, sent := false, 0
		w.net.SetFilter(func(p simnet.Packet) bool {
			if p.To.Port() != 5684 {
				alerted = alerted || p.Data[0] == typeAlert
			} else if alerted {
				sent++
			}
			return true
		})
		startPion(t, w.packets, pskServer()...)
		sec := pskSecurity()
		sec.Identity = []byte("who")
		s := w.socket(t, sec)
		var r reported
		want := &socket.AlertError{Description: socket.AlertInternalError}
		err := s.Connect(r.context(), numericEnd(w))
		if d := time.Since(r.start); !errors.Is(err, want) || d > 2*time.Second {
			t.Errorf("after %v: %v", d, err)
		}
		r.want(t, 0, want, "peer sent alert", 0)
		if sent != 0 || len(r.errs) != 1 {
			t.Errorf("%d datagrams were sent after the alert, signs %v", sent, r.errs)
		}
	})
}

// Records that anybody can forge do not end a handshake: alerts, messages that no server sends
// during one (HelloRequest is ignored, RFC 5246 §7.4.1.1), and those whose lengths do not fit.
func TestForgedPlaintextEndsNoHandshake(t *testing.T) {
	message := func(typ, seq, length, offset, part byte, body ...byte) []byte {
		return append([]byte{typ, 0, 0, length, 0, seq, 0, 0, offset, 0, 0, part}, body...)
	}
	var records [][]byte
	for _, level := range []byte{1, 2} {
		for _, description := range []byte{0, 10, 20, 40, 80, 90, 100, 115} {
			records = append(records, forged(typeAlert, 0, 1<<30, level, description))
		}
	}
	for typ := range 256 {
		switch typ {
		case msgServerHello, msgHelloVerify, msgSessionTicket, msgCertificate, msgServerKey, msgCertificateRequest,
			msgHelloDone, msgCertificateStatus:
			continue
		}
		for seq := range byte(4) {
			records = append(records, forged(typeHandshake, 0, 1<<30, message(byte(typ), seq, 0, 0, 0)...))
		}
	}
	for _, bad := range [][]byte{
		message(msgServerHello, 0, 1, 0, 2, 1, 2), message(msgServerHello, 1, 0, 1, 0),
		message(msgServerHello, 1, 9, 0, 9, 1), append(message(msgHelloDone, 2, 0, 0, 0), 1),
	} {
		records = append(records, forged(typeHandshake, 0, 1<<30, bad...))
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, 1)
		from := netip.AddrPortFrom(w.server.Addrs()[0], 5684)
		mustDefault(t, w, simnet.Link{Delay: 400 * time.Millisecond})
		startPion(t, w.packets, pskServer()...)
		to := netip.AddrPortFrom(w.device.Addrs()[0], 49152)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for i, record := range records {
				// Never at the same time as a record of the server.
				<-time.After(3*time.Millisecond + time.Microsecond)
				record[9], record[10] = byte(i>>8), byte(i)
				w.net.Inject(from, to, record)
			}
		}()
		s := w.socket(t, pskSecurity())
		if err := s.Connect(context.Background(), numericEnd(w)); err != nil {
			t.Error(err)
		}
		<-done
		if got := s.Able.Addresses.LocalAddr(); got != to {
			t.Fatalf("the records were sent to %v, not to %v", to, got)
		}
		mustEcho(t, s, "hello")
	})
}

// The system reports a refusal of the loopback interface as simnet does.
func TestRefusedPortOverUDP(t *testing.T) {
	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	to := socket.Endpoint{Host: "127.0.0.1", Port: l.Addr().Port()}
	_ = l.Close()
	sec := pskSecurity()
	sec.HandshakeMin = 50 * time.Millisecond
	s, err := Dialer{}.NewSocket(socket.Config{Security: sec, Below: udp.Dialer{}})
	if err != nil {
		t.Fatal(err)
	}
	var r reported
	ctx, cancel := context.WithTimeout(r.context(), 10*time.Second)
	defer cancel()
	if err := s.Connect(ctx, to); !errors.Is(err, socket.ErrRefused) {
		t.Error(err)
	}
	r.want(t, 0, socket.ErrRefused, "refused", 10*time.Second)
}
