package dm

import (
	"context"
	"io"
	"sync/atomic"
)

// Sink takes the value of an Opaque resource as a stream, such as a firmware image. One goroutine at
// a time calls it: Write any number of times, then Commit or Abort. For a server's request that is the
// loop that serves the device, except for an Abort in the one case that Hooks describes.
type Sink interface {
	io.Writer
	// Commit says that the value has arrived whole and that the transaction accepts it.
	Commit(ctx context.Context) error
	// Abort says that it does not: what was written is to be forgotten. It may follow a Commit, when
	// a later step of the transaction fails; what can still be undone is to be undone then.
	Abort()
}

// Source gives the value of an Opaque resource as a stream, such as a log. It is closed when the
// value has been read whole or the reader has gone. For a server's request it is used on the loop that
// serves the device, or on a worker where the request also covers a Slow resource.
type Source interface {
	io.ReadCloser
	// Size returns the size of the value in bytes, -1 where it is not known beforehand.
	Size() int64
}

// stream is what stands behind a streamed resource. It is shared by all copies of the cell.
type stream struct {
	source func(context.Context) (Source, error)
	sink   func(context.Context) (Sink, error)
	// writing is set while a Sink is open: there is one writer at a time.
	writing atomic.Bool
}

// SinkFunc returns an Opaque resource whose written values go to what open returns. There is one
// writer at a time: a second is answered 5.03. It needs no Commit hook.
func SinkFunc(open func(context.Context) (Sink, error)) Res[[]byte] {
	return StreamFunc(nil, open)
}

// SourceFunc returns an Opaque resource whose value is read from what open returns, each reader from
// a Source of its own. Reads of an instance leave it out; it is read alone.
func SourceFunc(open func(context.Context) (Source, error)) Res[[]byte] {
	return StreamFunc(open, nil)
}

// StreamFunc returns an Opaque resource that is both: read from what source returns and written to
// what sink returns. Either may be nil, not both.
func StreamFunc(source func(context.Context) (Source, error), sink func(context.Context) (Sink, error)) Res[[]byte] {
	if source == nil && sink == nil {
		return Res[[]byte]{state: liveIdle, source: &sourceOfBytes{}}
	}
	return Res[[]byte]{state: liveIdle, source: &sourceOfBytes{stream: &stream{source: source, sink: sink}}}
}

type sourceOfBytes = source[[]byte]

// openSink opens the resource's Sink for the one writer.
func (s *stream) openSink(ctx context.Context, p Path) (*openSink, error) {
	if s.sink == nil {
		return nil, fail(MethodNotAllowed, p, "the resource takes no stream")
	}
	if s.writing.Swap(true) {
		return nil, fail(ServiceUnavailable, p, "the resource is being written already")
	}
	opened := false
	defer func() {
		if !opened { // also where the function panics
			s.writing.Store(false)
		}
	}()
	sink, err := s.sink(ctx)
	if err != nil {
		return nil, at(p, err)
	}
	opened = true
	return &openSink{path: p, sink: sink, stream: s}, nil
}

// openSink is a Sink with its place in the data model.
type openSink struct {
	path   Path
	sink   Sink
	stream *stream
}

// close lets the next writer in.
func (o *openSink) close() { o.stream.writing.Store(false) }

func (o *openSink) abort() {
	defer o.close()
	o.sink.Abort()
}

// maxWholeStream bounds how much of a Source a read of the whole value takes into memory.
const maxWholeStream = 1 << 20

// readWhole returns the whole value of a stream, up to maxWholeStream bytes.
func (s *stream) readWhole(ctx context.Context, p Path) (Value, error) {
	if s.source == nil {
		return Value{}, ErrNoValue
	}
	src, err := s.source(ctx)
	if err != nil {
		return Value{}, err
	}
	defer src.Close()
	b, err := io.ReadAll(io.LimitReader(src, maxWholeStream+1))
	if err != nil {
		return Value{}, err
	}
	if len(b) > maxWholeStream {
		return Value{}, fail(InternalServerError, p, "the value is longer than %d bytes and must be read as a stream", maxWholeStream)
	}
	return OpaqueValue(b), nil
}
