package dtls

import (
	"bytes"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// forgeMessages injects, before each of the first count messages of a type that the server sends, a
// copy that was changed by change. It returns how many it has injected so far.
func forgeMessages(net *simnet.Network, typ byte, count int, change func(message []byte)) (injected func() int) {
	n := 0
	net.SetFilter(func(p simnet.Packet) bool {
		if p.From.Port() != 5684 {
			return true
		}
		for rest := p.Data; len(rest) > 0 && n < count; {
			h, record, after, ok := splitRecord(rest, 0)
			if !ok {
				break
			}
			rest = after
			if h.epoch == 0 && h.typ == typeHandshake && record[h.body] == typ {
				n++
				evil := bytes.Clone(record)
				change(evil[h.body:])
				from, to := p.From, p.To
				go net.Inject(from, to, evil)
			}
		}
		return true
	})
	return func() int { return n }
}

// forgedWorld returns a network with a server and a socket of a device.
func forgedWorld(t *testing.T) (*simnet.Network, *conn, socket.Endpoint) {
	t.Helper()
	n := simnet.New(1)
	l := listenSim(t, n, pskServerConfig())
	acceptAll(t, l)
	if err := n.SetDefaultLink(simnet.Link{Delay: 100 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	s := fromPort(t, n.NewHost("device"))
	return n, s, socket.Endpoint{Host: l.Addr().Addr().String(), Port: l.Addr().Port()}
}

// A plaintext message that was forged to fit into the handshake, and is faster than the server's
// own, makes that handshake fail. Connect notices that the messages contradict each other and
// begins again, at once instead of after the pause of the next attempt.
func TestForgedMessageDelaysHandshakeOnly(t *testing.T) {
	for name, c := range map[string]struct {
		typ    byte
		change func(m []byte)
	}{
		"ServerHello with another random":      {msgServerHello, func(m []byte) { m[messageHead+10]++ }},
		"ServerHello with a suite not offered": {msgServerHello, func(m []byte) { m[messageHead+2+32+1+int(m[messageHead+34])]++ }},
		"ServerHello with version 1.0":         {msgServerHello, func(m []byte) { m[messageHead+1] = 0xff }},
		"ServerHello that is damaged":          {msgServerHello, func(m []byte) { m[messageHead+34] = 0xff }},
	} {
		for _, times := range []int{1, maxRestarts} {
			synctest.Test(t, func(t *testing.T) {
				net, s, to := forgedWorld(t)
				injected := forgeMessages(net, c.typ, times, c.change)
				start := time.Now()
				if err := s.Connect(t.Context(), to); err != nil {
					t.Fatalf("%s, %d times: %v", name, times, err)
				}
				if d := time.Since(start); d > time.Duration(times)*3*time.Second {
					t.Errorf("%s, %d times: Connect took %v", name, times, d)
				}
				if injected() != times {
					t.Errorf("%s: %d messages were forged, want %d", name, injected(), times)
				}
				mustEcho(t, s, "hello")
			})
		}
	}
}

// A forger that never stops ends Connect after a bounded number of handshakes, with an error that
// says so.
func TestEndlessForgeryEndsConnect(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		net, s, to := forgedWorld(t)
		injected := forgeMessages(net, msgServerHello, 1000, func(m []byte) { m[messageHead+10]++ })
		err := s.Connect(t.Context(), to)
		if err == nil || !strings.Contains(err.Error(), errContradiction.Error()) {
			t.Errorf("Connect: %v", err)
		}
		if n := injected(); n > 40 { // repetitions included
			t.Errorf("%d messages were forged", n)
		}
	})
}
