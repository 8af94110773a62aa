package provision

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/serve"
)

// operation is an operation of the bootstrap interface.
type operation uint8

const (
	discover operation = iota
	read
	write
	remove // Bootstrap-Delete
	finish
	pack
)

// The objects that the interface treats in a way of their own.
const (
	securityObject dm.ObjectID = 0
	serverObject   dm.ObjectID = 1
	accessObject   dm.ObjectID = 2
	deviceObject   dm.ObjectID = 3
	oscoreObject   dm.ObjectID = 21
)

var (
	errNotRead   = serve.Refuse(dm.MethodNotAllowed, "only /1 and /2 and their instances can be read")
	errNoLinks   = serve.Refuse(dm.BadRequest, "only the root and an object can be discovered")
	errNoTarget  = serve.Refuse(dm.BadRequest, "only an object, an instance or a resource can be written")
	errNoRemoval = serve.Refuse(dm.BadRequest, "only the root, an object or an instance can be deleted")
	errTooMany   = serve.Refuse(dm.ServiceUnavailable, "too many requests wait")
	errTooLarge  = serve.Refuse(dm.RequestEntityTooLarge, "the payload is too large")
	errStaged    = serve.Refuse(dm.RequestEntityTooLarge, "the sequence writes too much")
	errOver      = serve.Refuse(dm.BadRequest, "the bootstrap sequence is over")
	errBegun     = errors.New("provision: a pack cannot be applied after a request has changed something")
)

// Faultf returns an error whose text the bootstrap server is shown: in the answer to a Finish,
// where Usable or BeforeFinish returns it. The text begins with the path, unless that is the root.
// It must not contain a secret.
func Faultf(p dm.Path, format string, args ...any) error {
	text := fmt.Sprintf(format, args...)
	if !p.IsRoot() {
		text = p.String() + ": " + text
	}
	return serve.Refuse(dm.NotAcceptable, text)
}

// parse finds out what a request asks for (Transport 1.2.2 §6.4.2).
func (s *Sequence) parse(r *coap.Request) (*task, error) {
	if s.ended {
		return nil, errOver
	}
	k := &task{r: r, format: content.None}
	if f, ok := r.Options().ContentFormat(); ok {
		k.format = content.Format(f)
	}
	known, bs := true, false
	segments := 0
	for v := range r.Options().Values(coap.OptionURIPath) {
		segments++
		if bs = segments == 1 && string(v) == "bs"; bs {
			continue
		}
		id, ok := serve.ParseID(v)
		if ok {
			k.path, ok = k.path.Child(id)
		}
		known = known && ok
	}
	if k.path.Level() > dm.RootLevel && slices.Contains(s.cfg.Hidden, k.path.Object()) {
		return k, serve.ErrNoObject
	}
	if r.Code() == coap.POST {
		if k.op = finish; !bs || segments > 1 {
			return nil, serve.ErrNoMethod
		}
		return k, nil
	}
	return k, k.classify(known && (!bs || segments > 1))
}

// classify finds the operation of a request other than Finish. A path that is not known is none of
// the data model.
func (k *task) classify(known bool) error {
	level := k.path.Level()
	switch k.r.Code() {
	case coap.GET:
		return k.classifyGet(known)
	case coap.PUT:
		if k.op = write; !known || level < dm.ObjectLevel || level > dm.ResourceLevel {
			return errNoTarget
		}
		return nil
	case coap.DELETE:
		if k.op = remove; !known || level > dm.InstanceLevel {
			return errNoRemoval
		}
		return nil
	}
	return serve.ErrNoMethod
}

func (k *task) classifyGet(known bool) error {
	accept, asked := k.r.Options().Accept()
	level, object := k.path.Level(), k.path.Object()
	switch {
	case !known:
		return serve.ErrNoObject
	case asked && content.Format(accept) == content.Link, !asked && level == dm.RootLevel:
		if k.op = discover; level > dm.ObjectLevel {
			return errNoLinks
		}
		return nil
	}
	k.op = read
	if level != dm.ObjectLevel && level != dm.InstanceLevel || object != serverObject && object != accessObject {
		return errNotRead
	}
	return nil
}

// checkHead refuses a request by what its head says.
func (s *Sequence) checkHead(k *task) error {
	if n, ok := k.r.Size(); ok && n > int64(s.cfg.Limits.Payload) {
		return errTooLarge
	}
	if k.op != write {
		return nil
	}
	if k.format == content.None && k.path.Level() == dm.ResourceLevel {
		k.format = content.Text // as in LwM2M 1.0
	}
	if k.format == content.None {
		return serve.ErrNoFormat
	}
	return content.Check(k.format, content.Write, k.path)
}

// refuse answers a request with an error. The cause stays on the device: the server receives the
// code, and the path or the text of a refusal.
func (s *Sequence) refuse(r *coap.Request, err error) {
	resp := r.Response()
	resp.Code, resp.Body = serve.Explain(err, resp.Body)
	if s.cfg.Logger.Enabled(context.Background(), slog.LevelDebug) {
		s.cfg.Logger.Debug("refused a request of the bootstrap server", "method", r.Code().String(),
			"path", string(r.Options().AppendPath(nil)), "code", resp.Code.String(), "error", err)
	}
	_ = r.Respond(resp)
}

// succeed answers a request without a payload.
func succeed(r *coap.Request, code coap.Code) {
	resp := r.Response()
	resp.Code = code
	_ = r.Respond(resp)
}
