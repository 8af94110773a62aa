package dm

import (
	"context"
	"io"
	"sync/atomic"
)

// Sink receives the value of an Opaque resource as a stream, such as a firmware image. One
// goroutine at a time calls it: Write any number of times, then Commit or Abort. For a server's
// request that is the loop that serves the device, except for an Abort in the one case that Hooks
// describes.
type Sink interface {
	io.Writer
	// Commit reports that the value is complete and that the transaction accepts it.
	Commit(ctx context.Context) error
	// Abort reports that the value is not accepted; discard what was written. Abort may follow
	// Commit when a later step of the transaction fails; undo then what can still be undone.
	Abort()
}

// Source provides the value of an Opaque resource as a stream, such as a log. It is closed when the
// value was read completely or the reader has stopped. For a server's request it is used on the
// loop that serves the device, or on a worker if the request also covers a Slow resource.
type Source interface {
	io.ReadCloser
	// Size returns the size of the value in bytes, or -1 if it is not known beforehand.
	Size() int64
}

// stream is the implementation of a streamed resource. All copies of the cell share it.
type stream struct {
	source func(context.Context) (Source, error)
	sink   func(context.Context) (Sink, error)
	// writing is set while a Sink is open: only one writer is allowed at a time.
	writing atomic.Bool
}

// SinkFunc returns an Opaque resource whose written values go to the Sink that open returns. Only
// one writer is allowed at a time; a second one is answered 5.03. The resource needs no Commit
// hook.
func SinkFunc(open func(context.Context) (Sink, error)) Res[[]byte] {
	return StreamFunc(nil, open)
}

// SourceFunc returns an Opaque resource whose value is read from the Source that open returns. Each
// reader has its own Source. Reads of an instance leave the resource out; it is read alone.
func SourceFunc(open func(context.Context) (Source, error)) Res[[]byte] {
	return StreamFunc(open, nil)
}

// StreamFunc returns an Opaque resource that is both: it is read from what source returns and
// written to what sink returns. One of the two may be nil.
func StreamFunc(source func(context.Context) (Source, error), sink func(context.Context) (Sink, error)) Res[[]byte] {
	if source == nil && sink == nil {
		return Res[[]byte]{state: liveIdle, source: &sourceOfBytes{}}
	}
	return Res[[]byte]{state: liveIdle, source: &sourceOfBytes{stream: &stream{source: source, sink: sink}}}
}

type sourceOfBytes = source[[]byte]

// openSink opens the resource's Sink. It fails if another writer has it open.
func (s *stream) openSink(ctx context.Context, p Path) (*openSink, error) {
	if s.sink == nil {
		return nil, fail(MethodNotAllowed, p, "the resource cannot be written as a stream")
	}
	if s.writing.Swap(true) {
		return nil, fail(ServiceUnavailable, p, "the resource is already being written")
	}
	opened := false
	defer func() {
		if !opened { // also where the function panics
			s.writing.Store(false)
		}
	}()
	sink, err := s.sink(ctx)
	if err != nil {
		return nil, withPath(p, err)
	}
	opened = true
	return &openSink{path: p, sink: sink, stream: s}, nil
}

// openSink is a Sink with its path.
type openSink struct {
	path   Path
	sink   Sink
	stream *stream
}

// close allows the next writer.
func (o *openSink) close() { o.stream.writing.Store(false) }

func (o *openSink) abort() {
	defer o.close()
	o.sink.Abort()
}

// maxWholeStream is the largest Source, in bytes, that a read of the whole value takes into memory.
const maxWholeStream = 1 << 20

// readWhole returns the whole value of a stream of at most maxWholeStream bytes.
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
		return Value{}, fail(InternalServerError, p,
			"the value is longer than %d bytes and must be read as a stream", maxWholeStream)
	}
	return OpaqueValue(b), nil
}
