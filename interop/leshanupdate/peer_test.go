package leshanupdate_test

import (
	"encoding/hex"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/jvm"
)

// patience is how long a test waits for what has no time of its own.
const patience = time.Minute

// key is the pre-shared key of every device. Its identity is its endpoint name.
var key = []byte("0123456789abcdef")

// message is a line of the server: an event, or the answer to a command.
type message struct {
	ID       *int   `json:"id"`
	Event    string `json:"event"`
	Port     uint16 `json:"port"` // of the server
	Endpoint string `json:"endpoint"`
	Path     string `json:"path"`
	Code     int    `json:"code"`
	Value    string `json:"value"`
	Error    string `json:"error"` // the name of the exception
	Message  string `json:"message"`
}

// peer is a running Leshan server.
type peer struct {
	*jvm.Peer[message]
	port uint16 // of DTLS
}

// startPeer starts a Leshan server on a free UDP port. It ends with the test.
func startPeer(t *testing.T) *peer {
	t.Helper()
	p := &peer{Peer: jvm.StartPeer(t, "leshanupdate", patience, nil, func(m message) *int { return m.ID },
		[]string{"-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dkey=" + hex.EncodeToString(key)}, "Peer.java", "../../objects-xml")}
	p.port = p.Take(t, "start", func(m message) bool { return m.Event == "started" }).Port
	return p
}

// event returns the next event of a kind that a device causes.
func (p *peer) event(t *testing.T, endpoint, kind string) message {
	t.Helper()
	return p.Take(t, endpoint+" "+kind, func(m message) bool { return m.Event == kind && m.Endpoint == endpoint })
}

// notified waits for the notification of a value, and discards those before it.
func (p *peer) notified(t *testing.T, path, value string) {
	t.Helper()
	for {
		m := p.Take(t, "notification of "+path, func(m message) bool { return m.Event == "notification" && m.Path == path })
		if m.Value == value {
			return
		}
	}
}

// do performs a command for the device, and returns the server's answer.
func (p *peer) do(t *testing.T, op, path, value string) message {
	t.Helper()
	return p.Do(t, map[string]any{"op": op, "endpoint": endpoint, "path": path, "value": value})
}

// expect fails unless a command is answered with a code and a value.
func (p *peer) expect(t *testing.T, op, path, argument string, code int, value string) {
	t.Helper()
	if m := p.do(t, op, path, argument); m.Code != code || m.Value != value {
		t.Fatalf("%s %s: %+v, want %d %q", op, path, m, code, value)
	}
}
