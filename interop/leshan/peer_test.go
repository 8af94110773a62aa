package leshan_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/jvm"
)

// peer is a running Leshan server.
type peer struct {
	*jvm.Process
	uri string

	lines  chan message // events
	mu     sync.Mutex
	nextID int
	wait   map[int]chan message
}

// message is a line of the server: an event, or the answer to a command.
type message struct {
	ID       *int              `json:"id"`
	Event    string            `json:"event"`
	Endpoint string            `json:"endpoint"`
	URI      string            `json:"uri"`
	Version  string            `json:"version"`
	Lifetime int64             `json:"lifetime"`
	Links    string            `json:"links"`
	Path     string            `json:"path"`
	Code     json.RawMessage   `json:"code"`
	Message  string            `json:"message"`
	Location string            `json:"location"`
	Error    string            `json:"error"`
	Values   map[string]string `json:"values"`
}

// code returns the response code, such as 205.
func (m message) code() string { return strings.Trim(string(m.Code), `"`) }

const patience = 20 * time.Second

// startPeer starts a Leshan server with the object definitions of the given folders, on a free
// port.
func startPeer(t *testing.T, models ...string) *peer { return startPeerAt(t, "0", models...) }

// startPeerAt starts the server on a UDP port.
func startPeerAt(t *testing.T, port string, models ...string) *peer {
	t.Helper()
	p := &peer{lines: make(chan message, 1000), wait: map[int]chan message{}}
	p.Process = jvm.Start(t, "leshan", p.read, []string{"-Xmx256m", "-Dport=" + port}, append([]string{"Peer.java"}, models...)...)
	t.Cleanup(p.Stop)
	p.uri = p.event(t, "started", time.Minute).URI
	return p
}

// read passes a line of the server on to event and do.
func (p *peer) read(line []byte) {
	if line == nil {
		close(p.lines)
		return
	}
	var m message
	if err := json.Unmarshal(line, &m); err != nil {
		return // a line of the JVM
	}
	if m.ID == nil {
		p.lines <- m
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.wait[*m.ID] <- m
}

// event returns the next event of a kind and discards events of other kinds.
func (p *peer) event(t *testing.T, kind string, patience time.Duration) message {
	t.Helper()
	timeout := time.After(patience)
	for {
		select {
		case m, ok := <-p.lines:
			if !ok {
				t.Fatalf("the server ended before the event %q", kind)
			}
			if m.Event == kind {
				return m
			}
		case <-timeout:
			t.Fatalf("no event %q within %v", kind, patience)
		}
	}
}

// do makes the server perform an operation on the thermometer and returns its answer.
func (p *peer) do(t *testing.T, command map[string]any) message {
	t.Helper()
	p.mu.Lock()
	p.nextID++
	id := p.nextID
	answer := make(chan message, 1)
	p.wait[id] = answer
	p.mu.Unlock()
	command["id"], command["endpoint"] = id, endpoint
	b, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p, "%s\n", b); err != nil {
		t.Fatal(err)
	}
	select {
	case m := <-answer:
		if m.Error != "" {
			t.Fatalf("%s: %s", b, m.Error)
		}
		return m
	case <-time.After(patience):
		t.Fatalf("%s: no answer", b)
	}
	return message{}
}
