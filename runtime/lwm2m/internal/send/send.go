// Package send is the queue of the Sends to one server (Core 1.2.2 §6.4.6): a device reports values
// that nobody has asked for.
//
// A [Queue] sends one request at a time, in the order of the calls, so that a history that two of
// them name is reported once, and so that no two block-wise transfers to /dp mix. It makes three
// decisions:
//
//   - When to send: never before the server knows the device and the instances that are reported,
//     and after a request of the registration interface that is in flight.
//   - What to send: what the server may read at that time. Everything else is left out and named.
//   - What the outcome is. The outcome never reaches package account: that no response comes to a
//     Send says nothing about the registration.
//
// The values of a history are reported in parts that fit one message each. A part that is
// acknowledged leaves the history, so on a bad link every message that gets through counts. A
// block-wise transfer of the same size would take as many messages, and loses all of them with one.
package send

import (
	"bytes"
	"errors"
	"sync/atomic"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/manage"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/series"
)

// Outcome is what became of a request.
type Outcome uint8

// The outcomes.
const (
	Acknowledged Outcome = iota
	Refused              // the server has answered with an error code, or a Reset
	Lost                 // it was sent, and no response came
	Muted                // the server does not want it
	Dropped              // it was not sent
)

// Result is the outcome of a request, and the reason for it.
type Result struct {
	Outcome Outcome
	Err     error            // nil if Acknowledged
	LeftOut []manage.LeftOut // nodes that were not reported
	Values  int              // that the server has acknowledged
}

// Errors of requests that are not sent.
var (
	ErrNothing       = errors.New("there is no value to report")
	ErrTooMany       = errors.New("lwm2m: too many Sends wait for this server")
	ErrVersion       = errors.New("the device is registered with LwM2M 1.0, which has no Send")
	ErrNoTimes       = errors.New("LwM2M CBOR carries no times: use SenML CBOR or SenML JSON for values with times")
	ErrFormat        = errors.New("the format is none of SenML CBOR, SenML JSON and LwM2M CBOR")
	ErrNotRegistered = errors.New("the server does not know the instance: it was not in the last registration")
)

// Value is a value that the application gives. The zero value of At means no time.
type Value struct {
	Path  dm.Path
	Value dm.Value
	At    time.Time
}

// History is a series of values of one resource.
type History struct {
	Path   dm.Path
	Series *series.Series
}

// Request is one Send. Set the exported fields before [Queue.Add].
type Request struct {
	// Format is the Content-Format. The zero value means the server's preference.
	Format content.Format
	// Defer has the request wait while the server cannot be reached and while the receiver is off,
	// and repeats it if the connection ends before the response.
	Defer bool
	// Paths are the nodes whose values are read when the request is added.
	Paths []dm.Path
	// Values are given by the application.
	Values []Value
	// Histories lose the values that the server acknowledges.
	Histories []History
	// Done is called on the loop with the outcome, exactly once. Required.
	Done func(Result)

	reading   bool // the values of Paths are not there yet
	late      bool // it has waited for the server: what was read gets its time
	readAt    time.Time
	read      []dm.Entry
	unread    []manage.LeftOut
	given     bool // read and Values are reported
	acked     int
	left      []manage.LeftOut
	part      part
	call      coap.Call
	inFlight  atomic.Bool
	over      bool
	cancelled error // why the caller has given up
}

// InFlight reports whether the request is sent and waits for its response. It is safe for
// concurrent use.
func (r *Request) InFlight() bool { return r.inFlight.Load() }

// State is what an account can do about a request now.
type State uint8

// The states.
const (
	Away   State = iota // the server cannot be reached, or does not know the device
	Asleep              // the receiver is off (queue mode): what is not deferred wakes the device
	Busy                // a request of the registration interface, or notifications, come first
	Ready               // requests can be sent
)

// Account is the registration that a [Queue] sends within.
type Account interface {
	// State returns whether a request can be sent now. The error says why the server is Away.
	State() (State, error)
	// Wake has the device wake up. It is called when State is Asleep.
	Wake()
	// Muted returns the reason if the server wants no Send, nil if it does.
	Muted() error
	// Version returns the version of LwM2M of the registration.
	Version() registry.Version
	// Registered reports whether the server knows an instance. If it does not, soon says that an
	// Update with it is planned.
	Registered(instance dm.Path) (known, soon bool)
	// Conn returns the connection. It is called when State is Ready.
	Conn() *coap.Conn
	// Refusal returns the error for a response that is an error.
	Refusal(coap.Result) error
}

// Config configures a [Queue].
type Config struct {
	Account Account
	Peer    *manage.Peer   // the server
	Root    string         // the alternate path
	Format  content.Format // of requests without one
	Part    int            // the size of a part of a history, in bytes
	Limit   int            // how many requests may wait
}

// Queue is the requests to one server. It belongs to the goroutine of the loop.
type Queue struct {
	cfg      Config
	list     []*Request // the first one may be in flight
	settling bool
	again    bool
}

// New returns an empty queue.
func New(cfg Config) *Queue { return &Queue{cfg: cfg} }

// Len returns how many requests have no outcome yet.
func (q *Queue) Len() int { return len(q.list) }

// Add adds a request and reads the values of its paths.
func (q *Queue) Add(r *Request) {
	state, reason := q.cfg.Account.State()
	muted := q.cfg.Account.Muted()
	switch {
	case muted != nil:
		r.end(Muted, muted)
	case !r.hasFormat():
		r.end(Dropped, ErrFormat)
	case r.Format == content.LwM2MCBOR && r.hasTimes():
		r.end(Dropped, ErrNoTimes)
	case state == Away && !r.Defer:
		r.end(Dropped, reason)
	case len(q.list) >= q.cfg.Limit:
		r.end(Dropped, ErrTooMany)
	default:
		q.list = append(q.list, r)
		q.readValues(r)
	}
}

func (q *Queue) readValues(r *Request) {
	if len(r.Paths) == 0 {
		q.Settle()
		return
	}
	r.reading = true
	q.cfg.Peer.Collect(r.Paths, func(entries []dm.Entry, left []manage.LeftOut) {
		r.reading, r.readAt = false, time.Now()
		r.read, r.unread, r.left = entries, left, left
		q.Settle()
	})
}

// hasFormat reports whether the format of a request can carry it.
func (r *Request) hasFormat() bool {
	return r.Format == 0 || r.Format.Carries(content.Send, dm.RootLevel)
}

// hasTimes reports whether the application has given values with their times.
func (r *Request) hasTimes() bool {
	for _, v := range r.Values {
		if !v.At.IsZero() {
			return true
		}
	}
	return len(r.Histories) > 0
}

// Settle sends what can be sent, and drops what cannot be sent any more. Call it after every change
// of the account.
func (q *Queue) Settle() {
	q.again = true
	if q.settling {
		return // the loop below, further up the stack, repeats
	}
	q.settling = true
	defer func() { q.settling = false }()
	for q.again {
		q.again = false
		switch state, reason := q.cfg.Account.State(); {
		case state == Away:
			q.wait(reason)
		case state == Asleep:
			q.sleep()
		case state == Ready && len(q.list) > 0:
			q.advance(q.list[0])
		}
	}
}

// sleep has the device woken if a request is not deferred. Deferred requests wait until the device
// is awake for another reason, and go before it in the order of the calls.
func (q *Queue) sleep() {
	wake := false
	for _, r := range q.list {
		r.late = r.late || r.Defer
		wake = wake || !r.Defer && !r.reading
	}
	if wake {
		q.cfg.Account.Wake()
	}
}

// wait drops the requests that are not to wait for a server that is away.
func (q *Queue) wait(reason error) {
	for i := 0; i < len(q.list); {
		r := q.list[i]
		switch {
		case r.InFlight():
			i++ // the end of the connection ends it
		case r.Defer:
			r.late = true
			i++
		default:
			q.finish(r, Dropped, reason)
		}
	}
}

// advance sends the next part of the first request.
func (q *Queue) advance(r *Request) {
	if r.InFlight() || r.reading {
		return
	}
	if muted := q.cfg.Account.Muted(); muted != nil {
		q.finish(r, Muted, muted)
		return
	}
	if q.cfg.Account.Version().Compare(registry.V(1, 1)) < 0 {
		q.finish(r, Dropped, ErrVersion)
		return
	}
	if q.awaitsUpdate(r) {
		return
	}
	body, err := q.nextPart(r)
	switch {
	case err != nil:
		r.part.giveBack()
		q.finish(r, Dropped, err)
	case body != nil:
		q.transmit(r, body)
	case r.acked > 0: // the last part is acknowledged
		q.finish(r, Acknowledged, nil)
	default:
		q.finish(r, Dropped, ErrNothing)
	}
}

// awaitsUpdate reports whether an Update is planned that names an instance of the request.
func (q *Queue) awaitsUpdate(r *Request) bool {
	await := func(p dm.Path) bool {
		known, soon := q.cfg.Account.Registered(p.Up(dm.InstanceLevel))
		return !known && soon
	}
	for i := range r.read {
		if await(r.read[i].Path) {
			return true
		}
	}
	for i := range r.Values {
		if await(r.Values[i].Path) {
			return true
		}
	}
	for i := range r.Histories {
		if await(r.Histories[i].Path) {
			return true
		}
	}
	return false
}

func (q *Queue) transmit(r *Request, body []byte) {
	conn := q.cfg.Account.Conn()
	r.call = coap.Call{
		Code: coap.POST, Body: body, Priority: coap.PriorityNormal,
		Done: func(x coap.Result) { q.onResult(r, conn, x) },
	}
	r.call.Options.AddPath("dp")
	r.call.Options.SetContentFormat(uint16(r.part.format))
	r.inFlight.Store(true)
	if err := conn.Do(&r.call); err != nil && r.InFlight() {
		r.inFlight.Store(false)
		r.part.giveBack()
		q.finish(r, Dropped, err)
	}
}

// onResult handles the outcome of a part.
func (q *Queue) onResult(r *Request, conn *coap.Conn, x coap.Result) {
	if r.over {
		return
	}
	r.inFlight.Store(false)
	switch {
	case x.Err == nil && x.Code.IsSuccess():
		r.acked += r.part.values
		r.given = true
		r.part.release()
	case x.Err == nil:
		r.part.giveBack()
		q.finish(r, Refused, q.cfg.Account.Refusal(x))
	case r.cancelled != nil:
		r.part.giveBack()
		q.finish(r, Lost, r.cancelled)
	case r.Defer && conn.Closed() != nil:
		r.part.giveBack() // it is sent again over the next connection
		r.late = true
	case errors.Is(x.Err, coap.ErrReset):
		r.part.giveBack()
		q.finish(r, Refused, x.Err)
	default:
		r.part.giveBack()
		q.finish(r, Lost, x.Err)
	}
	q.Settle()
}

// Cancel gives a request up because of the reason, if it has no outcome yet.
func (q *Queue) Cancel(r *Request, reason error) {
	switch {
	case r.over:
	case r.InFlight():
		r.cancelled = reason
		r.call.Cancel()
	default:
		q.finish(r, Dropped, reason)
		q.Settle()
	}
}

// Close gives all requests up.
func (q *Queue) Close(reason error) {
	for len(q.list) > 0 {
		q.Cancel(q.list[0], reason)
	}
}

// finish ends a request.
func (q *Queue) finish(r *Request, o Outcome, err error) {
	for i, x := range q.list {
		if x == r {
			q.list = append(q.list[:i:i], q.list[i+1:]...)
			break
		}
	}
	q.again = true
	r.end(o, err)
}

func (r *Request) end(o Outcome, err error) {
	if r.over {
		return
	}
	r.over = true
	r.Done(Result{Outcome: o, Err: err, LeftOut: r.left, Values: r.acked})
}

// clone returns a value that shares no bytes with its origin.
func clone(v dm.Value) dm.Value {
	if v.Type() == registry.Opaque {
		return dm.OpaqueValue(bytes.Clone(v.Opaque()))
	}
	return v
}
