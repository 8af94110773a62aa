package leshanlife_test

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/maven"
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
	coap, coaps uint16 // ports
	kill        func() // ends the server without a word to its devices

	in       io.WriteCloser
	mu       sync.Mutex
	messages []message     // that no test has taken
	more     chan struct{} // closed when there are more, or no more
	ended    bool
	commands int
}

// startPeer starts a Leshan server on two UDP ports, 0 for free ones.
func startPeer(t *testing.T, coap, coaps uint16) *peer {
	t.Helper()
	lib := maven.Libraries(t, "leshanlife")
	cmd := exec.Command("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", fmt.Sprintf("-Dcoap=%d", coap), fmt.Sprintf("-Dcoaps=%d", coaps),
		"-Dkey="+hex.EncodeToString(key), fmt.Sprintf("-Dawake=%d", awakeTime.Milliseconds()), "-cp", filepath.Join(lib, "*"), "Peer.java", "../../objects-xml")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	p := &peer{in: in, more: make(chan struct{})}
	read := make(chan struct{})
	go func() {
		defer close(read)
		p.read(out)
	}()
	p.kill = sync.OnceFunc(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
	})
	t.Cleanup(func() {
		p.kill()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	started := p.take(t, "start", func(m message) bool { return m.Event == "started" })
	p.coap, p.coaps = started.Coap, started.Coaps
	return p
}

// read keeps the lines of the server.
func (p *peer) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err == nil { // other lines are the JVM's
			m.at = time.Now()
			p.keep(&m)
		}
	}
	p.keep(nil)
}

// keep keeps a message, or the end of the server.
func (p *peer) keep(m *message) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if m == nil {
		p.ended = true
	} else {
		p.messages = append(p.messages, *m)
	}
	close(p.more)
	p.more = make(chan struct{})
}

// take returns the first message that matches, and waits for it.
func (p *peer) take(t *testing.T, what string, matches func(message) bool) message {
	t.Helper()
	timeout := time.After(patience)
	for {
		p.mu.Lock()
		i, more, ended := slices.IndexFunc(p.messages, matches), p.more, p.ended
		if i >= 0 {
			m := p.messages[i]
			p.messages = slices.Delete(p.messages, i, i+1)
			p.mu.Unlock()
			return m
		}
		seen := slices.Clone(p.messages)
		p.mu.Unlock()
		if ended {
			t.Fatalf("the server ended before: %s", what)
		}
		select {
		case <-more:
		case <-timeout:
			t.Fatalf("not within %v: %s, but %+v", patience, what, seen)
		}
	}
}

// event returns the next event of a kind that a device causes.
func (p *peer) event(t *testing.T, endpoint, kind string) message {
	t.Helper()
	return p.take(t, endpoint+" "+kind, func(m message) bool { return m.Event == kind && m.Endpoint == endpoint })
}

// notified waits for the notification of a value.
func (p *peer) notified(t *testing.T, endpoint, value string) {
	t.Helper()
	p.take(t, "notification of "+value, func(m message) bool {
		return m.Event == "notification" && m.Endpoint == endpoint && m.Value == value
	})
}

// count takes all events of a kind that there are and returns how many they were. Handshakes have
// no endpoint.
func (p *peer) count(endpoint, kind string) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.messages)
	p.messages = slices.DeleteFunc(p.messages, func(m message) bool { return m.Event == kind && m.Endpoint == endpoint })
	return n - len(p.messages)
}

// do performs a command for a device, without a path "key" alone, and returns the server's answer.
func (p *peer) do(t *testing.T, op, endpoint, path string) message {
	t.Helper()
	p.mu.Lock()
	p.commands++
	id := p.commands
	p.mu.Unlock()
	b, err := json.Marshal(map[string]any{"id": id, "op": op, "endpoint": endpoint, "path": path})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.in, "%s\n", b); err != nil {
		t.Fatal(err)
	}
	return p.take(t, "answer to "+string(b), func(m message) bool { return m.ID != nil && *m.ID == id })
}

// expect performs a command on the value of the sensor, which must be answered 2.05.
func (p *peer) expect(t *testing.T, op, endpoint, value string) {
	t.Helper()
	if m := p.do(t, op, endpoint, "/3303/0/5700"); m.Code != 205 || m.Value != value {
		t.Fatalf("%s: %+v, want %s", op, m, value)
	}
}
