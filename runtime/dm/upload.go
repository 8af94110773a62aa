package dm

import "context"

// Upload is a value that arrives block by block for a streamed resource while no transaction is
// open. It ends with Transaction.Accept or Abort. It is not safe for concurrent use. Upload is for
// runtimes.
type Upload struct {
	sink *openSink
	done bool
}

// OpenUpload starts an upload to the streamed resource at p. It returns false if the resource is
// not a stream; use Transaction.Write then. A second upload at the same time is refused with
// ServiceUnavailable. OpenUpload is for runtimes.
func (s Snapshot) OpenUpload(ctx context.Context, who Origin, p Path) (*Upload, bool, error) {
	v, ok := s.find(p.Object())
	if !ok || p.level != ResourceLevel || !v.has(p.Instance()) {
		return nil, false, nil
	}
	def := v.definition().Resource(uint16(p.Resource()))
	if def == nil {
		return nil, false, nil
	}
	c := v.cell(p.Instance(), p.Resource())
	if c.stream() == nil {
		return nil, false, nil
	}
	if !mayWrite(who, def) {
		return nil, true, fail(MethodNotAllowed, p, "%s cannot be written", def.Name)
	}
	sink, err := c.stream().openSink(WithOrigin(ctx, who), p)
	if err != nil {
		return nil, true, err
	}
	return &Upload{sink: sink}, true, nil
}

// Write passes the next part of the value to the Sink. An error of the Sink is returned with the
// resource's path.
func (u *Upload) Write(b []byte) (int, error) {
	if u.done || u.sink == nil {
		return 0, ErrDone
	}
	n, err := u.sink.sink.Write(b)
	if err != nil {
		err = withPath(u.sink.path, err)
	}
	return n, err
}

// Abort discards what was written. After Accept or Abort it does nothing.
func (u *Upload) Abort() {
	if !u.done && u.sink != nil {
		u.done = true
		u.sink.abort()
	}
}

// Accept makes a finished upload part of the transaction, which commits or aborts it. Accept is for
// runtimes.
func (t *Transaction) Accept(u *Upload) error {
	if err := t.checkOpen(); err != nil {
		return err
	}
	if u.done || u.sink == nil {
		return ErrDone
	}
	p := u.sink.path
	v, ok := t.view(p.Object())
	if !ok || !v.has(p.Instance()) {
		return fail(NotFound, p, "the instance was deleted during the upload")
	}
	if c := v.cell(p.Instance(), p.Resource()); c.stream() != u.sink.stream {
		return fail(Conflict, p, "the resource was replaced during the upload")
	}
	x, err := t.touch(p.Object())
	if err != nil {
		return err
	}
	x.cellForWrite(p)
	u.done = true
	t.sinks = append(t.sinks, u.sink)
	return nil
}
