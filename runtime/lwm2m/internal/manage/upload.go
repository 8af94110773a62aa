package manage

import (
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// upload takes the value of a streamed resource block by block.
type upload struct {
	up  *dm.Upload
	cfg *Config
}

// Write passes a block on. An error has the code of the answer and ends the upload.
func (u *upload) Write(b []byte) (n int, err error) {
	err = serve.ErrPanic
	u.cfg.guardStream(func() { n, err = u.up.Write(b) }, u.up.Abort)
	if err != nil {
		u.up.Abort()
		code, _ := serve.Explain(err, nil)
		err = &coap.Error{Code: code, Err: err}
	}
	return n, err
}

// Abort drops what was written.
func (u *upload) Abort(error) { u.cfg.guardStream(u.up.Abort, func() {}) }

// abortUpload aborts the upload of a request that is refused.
func abortUpload(r *coap.Request) {
	if u, ok := r.Sink().(*upload); ok {
		u.Abort(nil)
	}
}

// head refuses at the first block what must fail whatever follows.
func (x *changer) head(q *request) error {
	switch {
	case q.op == Write && !q.composite:
		return q.headWrite()
	case q.op == Write:
		return content.Check(q.format, content.WriteComposite, q.path)
	case q.op == Create && q.scope.snapshot().Definition(q.path.Object()) == nil:
		return &dm.Error{Code: dm.NotFound, Path: q.path}
	case q.op == Create:
		return errors.Join(q.authorize(Create, q.path), content.Check(q.format, content.Create, q.path))
	case q.op == Execute && !q.scope.snapshot().Has(q.path):
		return &dm.Error{Code: dm.NotFound, Path: q.path}
	}
	return nil
}

// headWrite checks the first block of a Write, and opens the upload where the resource is streamed.
func (q *request) headWrite() error {
	if err := q.checkWrite(); err != nil {
		return err
	}
	s, p := q.scope.snapshot(), q.scope.peer
	if err := s.CheckWrite(p.slow, p.who, q.path); err != nil {
		return err
	}
	if err := content.Check(q.format, content.Write, q.path); err != nil || q.format != content.Opaque {
		return err
	}
	up, streamed, err := s.OpenUpload(p.slow, p.who, q.path)
	if streamed && err == nil {
		q.r.Stream(&upload{up, &q.scope.peer.m.cfg})
	}
	return err
}
