package leshan_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/maven"
)

// peer is a running Leshan server.
type peer struct {
	uri  string
	stop func() // ends the server and waits for its end

	in     io.WriteCloser
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
	lib := maven.Libraries(t, "leshan")
	args := []string{"-Xmx256m", "-Dport=" + port, "-cp", filepath.Join(lib, "*"), "Peer.java"}
	cmd := exec.Command("java", append(args, models...)...)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p := &peer{in: in, lines: make(chan message, 1000), wait: map[int]chan message{}}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	read := make(chan struct{})
	go func() {
		defer close(read)
		p.read(out)
	}()
	p.stop = sync.OnceFunc(func() {
		_ = in.Close() // ends the server
		end := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
		<-read
		_ = cmd.Wait()
		end.Stop()
	})
	t.Cleanup(p.stop)
	p.uri = p.event(t, "started", time.Minute).URI
	return p
}

// read passes the lines of the server on to event and do.
func (p *peer) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err != nil {
			continue // a line of the JVM
		}
		if m.ID == nil {
			p.lines <- m
			continue
		}
		p.mu.Lock()
		p.wait[*m.ID] <- m
		p.mu.Unlock()
	}
	close(p.lines)
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
	if _, err := fmt.Fprintf(p.in, "%s\n", b); err != nil {
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
