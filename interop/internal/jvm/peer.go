package jvm

import (
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"
)

// Peer is a program that prints events and answers to commands, each a JSON object in one line. M
// is the type of a line.
type Peer[M any] struct {
	*Process
	id       func(M) *int  // of the command that a line answers
	patience time.Duration // for a line

	mu       sync.Mutex
	messages []M           // that no test has taken
	more     chan struct{} // closed when there are more, or no more
	ended    bool
	commands int
}

// StartPeer starts a program as Start does. received, which may be nil, sees each line before a
// test can take it. id returns the ID of the command that a line answers, nil for an event. A test
// waits for a line for patience at most.
func StartPeer[M any](
	t *testing.T, name string, patience time.Duration, received func(*M), id func(M) *int, options []string, program ...string,
) *Peer[M] {
	t.Helper()
	p := &Peer[M]{id: id, patience: patience, more: make(chan struct{})}
	p.Process = Start(t, name, func(line []byte) {
		var m M
		if line != nil && json.Unmarshal(line, &m) != nil {
			return // a line of the JVM
		}
		if line != nil && received != nil {
			received(&m)
		}
		p.mu.Lock()
		defer p.mu.Unlock()
		if line == nil {
			p.ended = true
		} else {
			p.messages = append(p.messages, m)
		}
		close(p.more)
		p.more = make(chan struct{})
	}, options, program...)
	return p
}

// Take returns the first line that matches, and waits for it.
func (p *Peer[M]) Take(t *testing.T, what string, matches func(M) bool) M {
	t.Helper()
	timeout := time.After(p.patience)
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
			t.Fatalf("not within %v: %s, but %+v", p.patience, what, seen)
		}
	}
}

// Count takes all lines that match and are there, and returns how many they were.
func (p *Peer[M]) Count(matches func(M) bool) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.messages)
	p.messages = slices.DeleteFunc(p.messages, matches)
	return n - len(p.messages)
}

// Do performs a command, to which it adds an ID, and returns the answer.
func (p *Peer[M]) Do(t *testing.T, command map[string]any) M {
	t.Helper()
	p.mu.Lock()
	p.commands++
	id := p.commands
	p.mu.Unlock()
	command["id"] = id
	b, err := json.Marshal(command)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprintf(p, "%s\n", b); err != nil {
		t.Fatal(err)
	}
	return p.Take(t, "answer to "+string(b), func(m M) bool { answers := p.id(m); return answers != nil && *answers == id })
}
