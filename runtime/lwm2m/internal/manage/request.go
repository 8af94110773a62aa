package manage

import (
	"strconv"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Operation is an operation of the device management and information reporting interfaces, as access
// control tells them apart.
type Operation uint8

// The operations. Those of composites are asked for each of their paths.
const (
	Read            Operation = iota // Read, Read-Composite
	Observe                          // Observe
	Discover                         // Discover
	Write                            // Write, Write-Composite
	WriteAttributes                  // Write-Attributes
	Execute                          // Execute
	Create                           // Create
	Delete                           // Delete
)

// String returns the operation's name as LwM2M spells it.
func (o Operation) String() string {
	switch o {
	case Read:
		return "Read"
	case Observe:
		return "Observe"
	case Discover:
		return "Discover"
	case Write:
		return "Write"
	case WriteAttributes:
		return "Write-Attributes"
	case Execute:
		return "Execute"
	case Create:
		return "Create"
	case Delete:
		return "Delete"
	}
	return "Operation(" + strconv.Itoa(int(o)) + ")"
}

// request is what a CoAP request asks for (Transport 1.2.2 §6.4.3).
type request struct {
	r         *coap.Request
	op        Operation
	composite bool
	mode      dm.Mode // of a Write
	path      dm.Path
	format    content.Format // of the payload, None where it is not said
}

// refusal is an error whose text is safe to show to the server.
type refusal struct {
	code dm.Code
	text string
}

func (e *refusal) Error() string { return e.code.Error() + ": " + e.text }

func refuse(code dm.Code, text string) error { return &refusal{code, text} }

var (
	errNoSuchPath = refuse(dm.NotFound, "the path is none of this device's data model")
	errHidden     = refuse(dm.Unauthorized, "the object is not open to management servers")
	errNoMethod   = refuse(dm.MethodNotAllowed, "the method is not defined for this path")
	errTooMany    = refuse(dm.ServiceUnavailable, "too many requests wait here")
	errPatience   = refuse(dm.ServiceUnavailable, "another change takes too long")
)

// parse finds out what a request asks for, and refuses what needs no look at the data model.
func (p *Peer) parse(r *coap.Request) (request, error) {
	q := request{r: r, format: content.None}
	if f, ok := r.Options().ContentFormat(); ok {
		q.format = content.Format(f)
	}
	var err error
	if q.path, err = p.path(r.Options()); err != nil {
		return q, err
	}
	if err := p.classify(&q); err != nil {
		return q, err
	}
	if q.path.IsRoot() {
		if q.composite {
			return q, nil
		}
		return q, errNoMethod
	}
	if q.composite {
		return q, errNoMethod
	}
	if p.m.hidden(q.path.Object()) {
		return q, errHidden
	}
	return q, p.precondition(&q)
}

// path reads the Uri-Path options.
func (p *Peer) path(o *coap.Options) (dm.Path, error) {
	var path dm.Path
	segment := 0
	for it := o.Iter(); it.Next() && it.ID() <= coap.OptionURIPath; {
		if it.ID() != coap.OptionURIPath {
			continue
		}
		v := it.Value()
		if segment < len(p.lead) {
			if string(v) != p.lead[segment] {
				return path, errNoSuchPath
			}
			segment++
			continue
		}
		id, ok := parseID(v)
		if ok {
			path, ok = path.Child(id)
		}
		if !ok {
			return path, errNoSuchPath
		}
	}
	if segment < len(p.lead) && segment > 0 {
		return path, errNoSuchPath
	}
	return path, nil
}

// parseID reads an ID: a decimal number 0..65534 without leading zeros.
func parseID(b []byte) (uint16, bool) {
	if len(b) == 0 || len(b) > 5 || b[0] == '0' && len(b) > 1 {
		return 0, false
	}
	v := uint32(0)
	for _, c := range b {
		if c < '0' || c > '9' {
			return 0, false
		}
		v = v*10 + uint32(c-'0')
	}
	return uint16(v), v < 65535
}

// classify tells the operation by method, path and options.
func (p *Peer) classify(q *request) error {
	level := q.path.Level()
	switch q.r.Code() {
	case coap.GET:
		q.op = Read
		if accept, ok := q.r.Options().Accept(); ok && content.Format(accept) == content.Link {
			q.op = Discover
		} else if v, ok := q.r.Observe(); ok && v == coap.ObserveRegister {
			q.op = Observe
		}
		return nil
	case coap.FETCH:
		q.op, q.composite = Read, true
		return nil
	case coap.IPATCH:
		q.op, q.mode, q.composite = Write, dm.Update, true
		return nil
	case coap.PUT:
		q.op, q.mode = Write, dm.Replace
		if q.format == content.None && len(q.r.Body()) == 0 && q.r.Options().Has(coap.OptionURIQuery) {
			q.op = WriteAttributes
		}
		return nil
	case coap.POST:
		switch level {
		case dm.ObjectLevel:
			q.op = Create
			return nil
		case dm.InstanceLevel:
			q.op, q.mode = Write, dm.Update
			return nil
		case dm.ResourceLevel:
			q.op = Execute
			if q.format != content.None && q.format.Carries(content.Write, level) && !q.format.Carries(content.Execute, level) {
				q.op, q.mode = Write, dm.Update
			}
			return nil
		}
	case coap.DELETE:
		q.op = Delete
		if level == dm.InstanceLevel || level == dm.ResourceInstanceLevel {
			return nil
		}
	}
	return errNoMethod
}

// precondition answers If-Match and If-None-Match (RFC 7252 §5.10.8). Nodes of the data model have no
// entity tags, so that only their existence can be asked for.
func (p *Peer) precondition(q *request) error {
	o := q.r.Options()
	match, none := o.Has(coap.OptionIfMatch), o.Has(coap.OptionIfNoneMatch)
	if !match && !none || q.op == Read || q.op == Observe || q.op == Discover {
		return nil
	}
	exists := p.m.cfg.Model.Snapshot().Has(q.path)
	if none && exists {
		return refuse(dm.PreconditionFailed, "the node exists")
	}
	if match {
		for tag := range o.Values(coap.OptionIfMatch) {
			if len(tag) == 0 && exists {
				return nil
			}
		}
		return refuse(dm.PreconditionFailed, "the node does not exist, or not with this ETag")
	}
	return nil
}
