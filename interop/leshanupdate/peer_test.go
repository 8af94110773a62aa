package leshanupdate_test

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
	port uint16 // of DTLS

	in       io.WriteCloser
	mu       sync.Mutex
	messages []message     // that no test has taken
	more     chan struct{} // closed when there are more, or no more
	ended    bool
	commands int
}

// startPeer starts a Leshan server on a free UDP port. It ends with the test.
func startPeer(t *testing.T) *peer {
	t.Helper()
	lib := maven.Libraries(t, "leshanupdate")
	cmd := exec.Command("java", "-Xmx256m", "-XX:TieredStopAtLevel=1", "-Dkey="+hex.EncodeToString(key),
		"-cp", filepath.Join(lib, "*"), "Peer.java", "../../objects-xml")
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
	t.Cleanup(func() {
		_ = cmd.Process.Kill()
		<-read
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(said.String())
		}
	})
	p.port = p.take(t, "start", func(m message) bool { return m.Event == "started" }).Port
	return p
}

// read keeps the lines of the server.
func (p *peer) read(out io.Reader) {
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var m message
		if err := json.Unmarshal(lines.Bytes(), &m); err == nil { // other lines are the JVM's
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

// notified waits for the notification of a value, and discards those before it.
func (p *peer) notified(t *testing.T, path, value string) {
	t.Helper()
	for {
		m := p.take(t, "notification of "+path, func(m message) bool { return m.Event == "notification" && m.Path == path })
		if m.Value == value {
			return
		}
	}
}

// do performs a command for the device, and returns the server's answer.
func (p *peer) do(t *testing.T, op, path, value string) message {
	t.Helper()
	p.mu.Lock()
	p.commands++
	id := p.commands
	p.mu.Unlock()
	b, err := json.Marshal(map[string]any{"id": id, "op": op, "endpoint": endpoint, "path": path, "value": value})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p.in, "%s\n", b); err != nil {
		t.Fatal(err)
	}
	return p.take(t, "answer to "+string(b), func(m message) bool { return m.ID != nil && *m.ID == id })
}

// expect fails unless a command is answered with a code and a value.
func (p *peer) expect(t *testing.T, op, path, argument string, code int, value string) {
	t.Helper()
	if m := p.do(t, op, path, argument); m.Code != code || m.Value != value {
		t.Fatalf("%s %s: %+v, want %d %q", op, path, m, code, value)
	}
}
