package manage

import (
	"errors"
	"io"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// newSource adapts a stream of the data model to block-wise transfer, which reads at offsets.
func (c *Config) newSource(s dm.Source) coap.Source { return &safeSource{cfg: c, Source: adapt(s)} }

// safeSource makes a panic of a stream an error.
type safeSource struct {
	coap.Source
	cfg *Config
}

func (g *safeSource) ReadAt(p []byte, off int64) (n int, err error) {
	err = serve.ErrPanic
	g.cfg.guardStream(func() { n, err = g.Source.ReadAt(p, off) }, func() {})
	return n, err
}

func (g *safeSource) Close() (err error) {
	g.cfg.guardStream(func() { err = g.Source.Close() }, func() {})
	return err
}

func adapt(s dm.Source) coap.Source {
	if at, ok := s.(interface {
		dm.Source
		io.ReaderAt
	}); ok {
		return at
	}
	return &sequential{src: s}
}

// sequential reads a stream from its beginning to its end and keeps the last bytes, for blocks that
// are asked for once more.
type sequential struct {
	src    dm.Source
	window []byte // the last bytes that were read
	end    int64  // where the window ends in the stream
}

const (
	keptOfStream = 4 << 10 // several of the largest blocks
	skipChunk    = 4 << 10
)

var errBackwards = errors.New("the stream does not go back that far")

// ReadAt reads at any offset that is not more than keptOfStream bytes behind the farthest one.
func (s *sequential) ReadAt(p []byte, off int64) (int, error) {
	want := off + int64(len(p))
	for s.end < want {
		if err := s.more(int(min(want-s.end, skipChunk))); err != nil {
			return 0, err
		}
	}
	start := s.end - int64(len(s.window))
	if off < start {
		return 0, errBackwards
	}
	return copy(p, s.window[off-start:]), nil
}

// more reads n more bytes into the window.
func (s *sequential) more(n int) error {
	if over := len(s.window) + n - keptOfStream; over > 0 {
		over = min(over, len(s.window))
		s.window = s.window[:copy(s.window, s.window[over:])]
	}
	at := len(s.window)
	s.window = append(s.window, make([]byte, n)...)
	got, err := io.ReadFull(s.src, s.window[at:])
	s.window = s.window[:at+got]
	s.end += int64(got)
	return err
}

// Close closes the stream.
func (s *sequential) Close() error { return s.src.Close() }
