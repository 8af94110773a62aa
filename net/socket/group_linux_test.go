package socket

import (
	"os"
	"testing"
)

// fileHandle is a handle with a descriptor that cannot be watched: that of a file.
type fileHandle struct{ f *os.File }

func (h fileHandle) SystemHandle(f func(fd uintptr)) error {
	f(h.f.Fd())
	return nil
}

// unwatchable is an open socket with such a handle.
type unwatchable struct {
	Socket
	fileHandle
}

func (unwatchable) State() State { return StateConnected }

// TestPollerSaysWhatItCannotWatch: it is an error if a socket cannot be watched.
func TestPollerSaysWhatItCannotWatch(t *testing.T) {
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var p Poller
	defer p.Close()
	if _, err := p.Wrap(unwatchable{fileHandle: fileHandle{f}}); err == nil {
		t.Error("Wrap has no error")
	}
	if n := len(p.group.ready); n != 0 {
		t.Errorf("%d sockets are remembered", n)
	}
}

// reader is an open socket with the descriptor of a pipe, which can be closed.
type reader struct {
	Socket
	fileHandle
}

func (r reader) State() State { return StateConnected }
func (r reader) Close() error { return r.f.Close() }

// TestPollerForgetsWhatIsClosed: a Poller drops closed sockets, so that a client that reconnects
// for years does not grow.
func TestPollerForgetsWhatIsClosed(t *testing.T) {
	var p Poller
	defer p.Close()
	for range 10 {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		s, err := p.Wrap(reader{fileHandle: fileHandle{r}})
		if err != nil {
			t.Fatal(err)
		}
		if n := len(p.group.ready); n != 1 {
			t.Errorf("%d sockets are watched", n)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
		_ = w.Close()
	}
	if n := len(p.group.ready); n != 0 {
		t.Errorf("%d closed sockets are remembered", n)
	}
}
