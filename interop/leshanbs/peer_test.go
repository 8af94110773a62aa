package leshanbs_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/jvm"
)

// command is a command for the servers; its members are described by Peer.java. A []byte is base64
// there.
type command = map[string]any

// message is a line of the servers: an event.
type message struct {
	Event          string `json:"event"`
	Endpoint       string `json:"endpoint"`
	Text           string `json:"text"`
	Message        string `json:"message"`
	BootstrapCoap  string `json:"bootstrapCoap"`
	BootstrapCoaps string `json:"bootstrapCoaps"`
	Coap           string `json:"coap"`
	Coaps          string `json:"coaps"`
}

// peer is the program with both servers.
type peer struct {
	*jvm.Process
	started message
	lines   chan message
	kept    []message // events that event has not returned
}

const patience = 20 * time.Second

// startPeer starts the servers on free ports.
func startPeer(t *testing.T, server, device identity) *peer {
	t.Helper()
	dir := t.TempDir()
	for name, data := range map[string][]byte{"server.key": server.key, "server.crt": server.cert, "device.crt": device.cert} {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := &peer{lines: make(chan message, 1000)}
	p.Process = jvm.Start(t, "leshanbs", p.read, []string{"-Xmx256m"}, "Peer.java", dir)
	t.Cleanup(p.Stop)
	select {
	case p.started = <-p.lines:
	case <-time.After(time.Minute):
	}
	if p.started.Event != "started" {
		t.Fatalf("the servers did not start: %+v", p.started)
	}
	return p
}

// read passes a line of the servers on to next.
func (p *peer) read(line []byte) {
	var m message
	if line == nil {
		close(p.lines)
	} else if err := json.Unmarshal(line, &m); err == nil { // other lines are the JVM's
		p.lines <- m
	}
}

// event returns the next event of a device that has one of some kinds. Other events are kept: the
// two servers report a bootstrap and the registration after it in any order.
func (p *peer) event(t *testing.T, endpoint string, kinds ...string) message {
	t.Helper()
	return p.next(t, func(m message) bool { return m.Endpoint == endpoint }, kinds)
}

// next returns the next event that matches and has one of some kinds.
func (p *peer) next(t *testing.T, match func(message) bool, kinds []string) message {
	t.Helper()
	kept := p.kept
	p.kept = nil
	timeout := time.After(patience)
	for {
		var m message
		if len(kept) > 0 {
			m, kept = kept[0], kept[1:]
		} else {
			select {
			case m = <-p.lines:
			case <-timeout:
				t.Fatalf("no event of %q within %v", kinds, patience)
			}
			if m.Event == "" {
				t.Fatalf("the servers ended before an event of %q", kinds)
			}
		}
		if match(m) && slices.Contains(kinds, m.Event) {
			p.kept = append(p.kept, kept...)
			return m
		}
		p.kept = append(p.kept, m)
	}
}

// do makes the servers perform a command.
func (p *peer) do(t *testing.T, c command) {
	t.Helper()
	for _, name := range []string{"auto", "read"} {
		if _, ok := c[name]; !ok {
			c[name] = false
		}
	}
	b, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p, "%s\n", b); err != nil {
		t.Fatal(err)
	}
	m := p.next(t, func(m message) bool { return m.Endpoint == "" }, []string{"done", "error"})
	if m.Event != "done" {
		t.Fatalf("%s: %s", b, m.Text)
	}
}
