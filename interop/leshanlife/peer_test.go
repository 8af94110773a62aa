package leshanlife_test

import (
	"encoding/hex"
	"fmt"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/jvm"
)

// patience is how long a test waits for what has no time of its own.
const patience = 20 * time.Second

// awakeTime is for how long Leshan takes a device in queue mode for awake after a Register or an
// Update.
const awakeTime = 3 * time.Second

// key is the pre-shared key of every device. Its identity is its endpoint name.
var key = []byte("0123456789abcdef")

// message is a line of the server: an event, or the answer to a command.
type message struct {
	ID           *int   `json:"id"`
	Event        string `json:"event"`
	Coap         uint16 `json:"coap"`
	Coaps        uint16 `json:"coaps"`
	Endpoint     string `json:"endpoint"`
	Registration string `json:"registration"`
	Old          string `json:"old"`     // the registration that a new one has replaced
	Address      string `json:"address"` // of the device
	Port         uint16 `json:"port"`
	Queue        bool   `json:"queue"` // the device is in queue mode
	Code         int    `json:"code"`
	Value        string `json:"value"`
	Error        string `json:"error"` // the name of the exception
	Message      string `json:"message"`

	at time.Time // when the test received it
}

// peer is a running Leshan server.
type peer struct {
	*jvm.Peer[message]
	coap, coaps uint16 // ports
}

// startPeer starts a Leshan server on two UDP ports, 0 for free ones.
func startPeer(t *testing.T, coap, coaps uint16) *peer {
	t.Helper()
	p := &peer{Peer: jvm.StartPeer(t, "leshanlife", patience, func(m *message) { m.at = time.Now() }, func(m message) *int { return m.ID },
		[]string{"-Xmx256m", "-XX:TieredStopAtLevel=1", fmt.Sprintf("-Dcoap=%d", coap), fmt.Sprintf("-Dcoaps=%d", coaps),
			"-Dkey=" + hex.EncodeToString(key), fmt.Sprintf("-Dawake=%d", awakeTime.Milliseconds())}, "Peer.java", "../../objects-xml")}
	started := p.Take(t, "start", func(m message) bool { return m.Event == "started" })
	p.coap, p.coaps = started.Coap, started.Coaps
	return p
}

// event returns the next event of a kind that a device causes.
func (p *peer) event(t *testing.T, endpoint, kind string) message {
	t.Helper()
	return p.Take(t, endpoint+" "+kind, func(m message) bool { return m.Event == kind && m.Endpoint == endpoint })
}

// notified waits for the notification of a value.
func (p *peer) notified(t *testing.T, endpoint, value string) {
	t.Helper()
	p.Take(t, "notification of "+value, func(m message) bool {
		return m.Event == "notification" && m.Endpoint == endpoint && m.Value == value
	})
}

// count takes all events of a kind that there are and returns how many they were. Handshakes have
// no endpoint.
func (p *peer) count(endpoint, kind string) int {
	return p.Count(func(m message) bool { return m.Event == kind && m.Endpoint == endpoint })
}

// do performs a command for a device, without a path "key" alone, and returns the server's answer.
func (p *peer) do(t *testing.T, op, endpoint, path string) message {
	t.Helper()
	return p.Do(t, map[string]any{"op": op, "endpoint": endpoint, "path": path})
}

// expect performs a command on the value of the sensor, which must be answered 2.05.
func (p *peer) expect(t *testing.T, op, endpoint, value string) {
	t.Helper()
	if m := p.do(t, op, endpoint, "/3303/0/5700"); m.Code != 205 || m.Value != value {
		t.Fatalf("%s: %+v, want %s", op, m, value)
	}
}
