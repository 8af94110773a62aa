package download

import (
	"errors"
	"io"
)

// writer writes to a sink and keeps its record. One goroutine at a time uses it; it may block.
type writer struct {
	sink    Sink
	save    func(Record) error
	every   int64
	written int64
	record  Record // as saved last
	durable func(int64)
}

// open prepares the sink for the content that the record names, or for new content.
func (w *writer) open(uri string) error {
	if w.record.URI == uri && w.record.valid() && (w.record.ETag != "" || w.record.Complete) {
		err := w.sink.Truncate(w.record.Offset)
		if err == nil {
			w.written = w.record.Offset
			return nil
		}
		if !errors.Is(err, ErrShort) {
			return sinkError("truncate the sink", err)
		}
	}
	w.record = Record{URI: uri, Total: -1}
	return w.restart()
}

// restart empties the sink. The record says so before it is done: no loss of power leaves a record
// about content that is not there.
func (w *writer) restart() error {
	w.written = 0
	if err := w.keep(Record{URI: w.record.URI, Total: -1}); err != nil {
		return err
	}
	if err := w.sink.Truncate(0); err != nil {
		return sinkError("truncate the sink", err)
	}
	return nil
}

// write appends p, and syncs when it is time.
func (w *writer) write(p []byte, h head) error {
	n, err := w.sink.Write(p)
	if err == nil && n != len(p) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return sinkError("write to the sink", err)
	}
	if w.written += int64(n); w.written-w.record.Offset >= w.every {
		return w.sync(h, false)
	}
	return nil
}

// sync makes everything durable, and then the record that says so.
func (w *writer) sync(h head, complete bool) error {
	if w.written == w.record.Offset && !complete {
		return nil
	}
	if err := w.sink.Sync(); err != nil {
		return sinkError("sync the sink", err)
	}
	return w.keep(Record{URI: w.record.URI, ETag: h.etag, Offset: w.written, Total: h.total, Complete: complete})
}

// keep saves a record.
func (w *writer) keep(r Record) error {
	if w.save != nil {
		if err := w.save(r); err != nil {
			return sinkError("save the record", err)
		}
	}
	w.record = r
	w.durable(r.Offset)
	return nil
}

// pipeSize is how many bytes are collected for one Write to the sink.
const pipeSize = 16 << 10

// pipe takes bytes on the loop and writes them on a goroutine that lives while there is something
// to write. It holds two buffers: one fills while the other one is written.
type pipe struct {
	w       *writer
	post    func(func())
	onDone  func(error) // on the loop
	busy    bool
	cur     []byte
	spare   []byte
	next    job  // what else the next job does
	unsaved bool // something was pushed after the last sync
}

// job is what a goroutine of a pipe does, in this order.
type job struct {
	open     string // the URI, to begin
	restart  bool
	data     []byte
	head     head
	sync     bool
	complete bool
}

func (j *job) run(w *writer) error {
	if j.open != "" {
		return w.open(j.open)
	}
	if j.restart {
		if err := w.restart(); err != nil {
			return err
		}
	}
	if len(j.data) > 0 {
		if err := w.write(j.data, j.head); err != nil {
			return err
		}
	}
	if j.sync || j.complete {
		return w.sync(j.head, j.complete)
	}
	return nil
}

// restart drops what was pushed and empties the sink.
func (p *pipe) restart() {
	p.cur, p.next.restart, p.unsaved = p.cur[:0], true, true
}

// push takes a copy of b.
func (p *pipe) push(b []byte, h head) {
	p.cur, p.next.head, p.unsaved = append(p.cur, b...), h, true
	if len(p.cur) >= pipeSize && !p.busy {
		p.start()
	}
}

// full reports whether the caller has to wait for onDone.
func (p *pipe) full() bool { return len(p.cur) >= pipeSize }

// sync writes the rest and makes all durable.
func (p *pipe) sync(h head, complete bool) {
	p.next.sync, p.next.complete, p.next.head = true, complete, h
	p.start()
}

// start runs the next job. None may be running.
func (p *pipe) start() {
	j := p.next
	j.data = p.cur
	p.cur, p.spare, p.next, p.busy = p.spare[:0], nil, job{}, true
	if j.sync {
		p.unsaved = false
	}
	go func() {
		err := j.run(p.w)
		p.post(func() {
			p.spare, p.busy = j.data[:0], false
			p.onDone(err)
		})
	}()
}
