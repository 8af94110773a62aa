package manage

// Stored notifications (Core 1.2.2 §6.4.2, Appendix E.2 resource 6). While the server of an
// observation cannot be reached, the nodes are sampled as usual, and what the server would have
// been notified of is kept with its time. When the server is back, it is sent in order, as few
// messages as possible, before anything else of the observation.

import (
	"bytes"
	"errors"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A moment is a notification that is stored.
type moment struct {
	at     time.Time
	groups []group
	values int // in all groups
}

// group is the values of one device.
type group struct {
	scope   *scope
	entries []dm.Entry
}

// store is what one observation has stored.
type store struct {
	moments []moment // the oldest first
	sending int      // how many of the oldest are on their way
	// lost counts the values of moments that were on their way when newer ones took their place.
	lost int
	// newest says that the server lacks the newest value, because the format carries no time and
	// nothing is stored.
	newest bool
	// gone says that the node is gone, of which the server has to be told after the rest.
	gone bool
	// replay says that the values of the history are to be sent; replaying, that some are on their
	// way.
	replay, replaying bool
	retry             sched.Job
}

// stored returns the store of the observation, which exists from the first use on.
func (o *observation) stored() *store {
	if o.store == nil {
		o.store = new(store)
		o.store.retry.Func = o.drain
	}
	return o.store
}

// hasStored reports whether something is stored.
func (o *observation) hasStored() bool { return o.store != nil && len(o.store.moments) > 0 }

// stores reports whether notifications are stored while the server cannot be reached: /1/x/6 is
// true or absent, and hqmax is not 0 where it is in force.
func (o *observation) stores() bool {
	if o.ended || o.scope.peer.closed || !o.scope.peer.storing() {
		return false
	}
	limit, ok := o.historyLimit()
	return !ok || limit > 0
}

// historyLimit returns hqmax: how many notifications may be stored. For several nodes that is the
// largest one. It returns false if hqmax is not in force.
func (o *observation) historyLimit() (limit int, ok bool) {
	for _, p := range o.parts {
		in := p.attributes()
		if v, has := in.Get(attr.Hqmax); has {
			limit, ok = max(limit, int(min(v, 1<<30))), true
		}
	}
	return limit, ok
}

// Stored returns how many values are stored for the server, and how many were dropped before the
// server got them. It is safe for concurrent use.
func (p *Peer) Stored() (values int, dropped uint64) {
	return int(p.storedValues.Load()), p.droppedValues.Load()
}

// reports reports whether the nodes are sampled: the server can be reached, or notifications are
// stored.
func (o *observation) reports() bool { return o.reachable() || o.stores() }

// mustStore reports whether a notification has to be stored: the server cannot be reached, or has
// not got those before it.
func (o *observation) mustStore() bool {
	return !o.reachable() || o.hasStored() || o.store != nil && o.store.replay
}

// keep stores a notification.
func (o *observation) keep(now sched.Time, x *notice) {
	for i, p := range o.parts {
		p.monitor.Notified(now, &x.nodes[i])
	}
	st := o.stored()
	if o.history() != nil {
		st.replay = true
		return
	}
	if !carriesTime(o.format) {
		if st.newest {
			o.scope.peer.CountDropped(1)
		}
		st.newest = true
		return
	}
	m, err := o.moment(x.body)
	if err != nil {
		o.logFailure(err)
		return
	}
	st.moments = append(st.moments, m)
	o.scope.peer.storedValues.Add(int64(m.values))
	if limit, ok := o.historyLimit(); ok {
		for len(st.moments) > limit {
			o.dropOldest()
		}
	}
	o.scope.peer.boundStore()
}

// finishLater has the server told that the node is gone when it can be reached, after what is
// stored.
func (o *observation) finishLater() { o.stored().gone = true }

// carriesTime reports whether a format carries the time of each value.
func carriesTime(f content.Format) bool {
	switch f.Canonical() {
	case content.SenMLCBOR, content.SenMLJSON, content.LwM2MJSON:
		return true
	}
	return false
}

// moment reads the values from the payload of a notification.
func (o *observation) moment(body []byte) (moment, error) {
	m := moment{at: time.Now()}
	m.groups = []group{{scope: o.scope}}
	r := content.Request{Root: o.scope.peer.cfg.Root}
	r.Schema = func(id dm.ObjectID) *registry.Object {
		return m.groups[len(m.groups)-1].scope.snapshot().Definition(id)
	}
	if o.composite {
		r.Select = func(prefix []byte) error {
			s := o.scope.peer.scope(prefix)
			if s == nil {
				return errNoDevice
			}
			if last := &m.groups[len(m.groups)-1]; last.scope != s {
				m.groups = append(m.groups, group{scope: s})
			}
			return nil
		}
	} else {
		r.Base, r.Prefix = o.own.path, o.scope.device.cfg.Prefix
	}
	err := o.cfg().Scratch.decoder.Decode(o.format, body, r, func(e dm.Entry) error {
		if e.Value.Type() == registry.Opaque {
			e.Value = dm.OpaqueValue(bytes.Clone(e.Value.Opaque()))
		}
		last := &m.groups[len(m.groups)-1]
		last.entries = append(last.entries, e)
		m.values++
		return nil
	})
	return m, err
}

// dropOldest drops the oldest stored notification.
func (o *observation) dropOldest() {
	st := o.store
	n := st.moments[0].values
	o.release(1)
	if st.sending > 0 { // it may have arrived
		st.sending--
		st.lost += n
		return
	}
	o.scope.peer.CountDropped(n)
	o.delivered(GivenUp, 1, errDropped)
}

// release removes the n oldest stored notifications.
func (o *observation) release(n int) {
	st := o.store
	for i := range st.moments[:n] {
		o.scope.peer.storedValues.Add(-int64(st.moments[i].values))
		st.moments[i] = moment{} // so that its values can be collected
	}
	if st.moments = st.moments[n:]; len(st.moments) == 0 {
		st.moments = nil
	}
}

// boundStore drops the oldest notifications of the server while more values are stored for it than
// the limit allows.
func (p *Peer) boundStore() {
	for p.storedValues.Load() > int64(p.m.cfg.Limits.StoredValues) {
		var oldest *observation
		for _, o := range p.observed {
			if o.hasStored() && (oldest == nil || o.store.moments[0].at.Before(oldest.store.moments[0].at)) {
				oldest = o
			}
		}
		if oldest == nil {
			return
		}
		oldest.dropOldest()
	}
}

// CountDropped counts values that were stored for the server and will not be sent.
func (p *Peer) CountDropped(values int) { p.droppedValues.Add(uint64(values)) }

// drain sends what is stored, if the server can be reached.
func (o *observation) drain() {
	st := o.store
	if st == nil || o.ended || !o.reachable() || st.sending > 0 {
		return
	}
	if o.scope.peer.asleep {
		o.scope.peer.wake() // Release calls drain again
		return
	}
	if st.replay {
		if h := o.history(); h != nil && o.drainHistory(h) {
			st.replaying = true
			return
		}
		st.replay = false
	}
	if len(st.moments) == 0 {
		o.schedule()
		if st.newest || st.gone {
			st.newest, st.gone = false, false
			o.forget()
		}
		return
	}
	body, n, err := o.encodeStored(st.moments)
	if err != nil { // no message can carry it
		o.logFailure(err)
		o.dropOldest()
		o.drainAfter(0)
		return
	}
	st.sending, st.lost = n, 0
	o.sendStored(body, o.drained, func() {})
}

// resendAfter is the pause before stored notifications that could not be sent are tried again.
const resendAfter = time.Second

// drained handles the outcome of a message with stored notifications.
func (o *observation) drained(err error) {
	st := o.store
	if st == nil {
		return // the observation has ended
	}
	o.noteTimeout(err)
	n, lost, replaying := st.sending, st.lost, st.replaying
	o.reportOutcome(true, n, err)
	st.sending, st.lost, st.replaying = 0, 0, false
	if err == nil && !replaying {
		o.release(n)
	} else if lost > 0 {
		o.scope.peer.CountDropped(lost)
	}
	switch {
	case o.ended || !o.reachable():
	case err == nil || errors.Is(err, coap.ErrTimeout):
		o.drainAfter(0)
		o.schedule()
	default:
		o.drainAfter(resendAfter)
	}
}

func (o *observation) drainAfter(d time.Duration) { o.cfg().Sched.After(&o.store.retry, d) }

// encodeStored returns the payload of a message with as many of the first moments as fit, at least
// one, and their number.
func (o *observation) encodeStored(moments []moment) (body []byte, n int, err error) {
	limit := o.cfg().StoredMessage
	for n = min(len(moments), limit); ; {
		body, err = o.encodeMoments(moments[:n])
		if err != nil || len(body) <= limit || n == 1 {
			return body, n, err
		}
		n = max(1, min(n-1, n*limit/len(body)))
	}
}

func (o *observation) encodeMoments(moments []moment) ([]byte, error) {
	enc := &o.cfg().Scratch.encoder
	target := content.Target{Root: o.scope.peer.cfg.Root, Prefix: o.scope.device.cfg.Prefix}
	if !o.composite {
		target.Base = o.own.path
	}
	if err := enc.Begin(o.format, nil, target); err != nil {
		return nil, err
	}
	for i := range moments {
		for _, g := range moments[i].groups {
			if o.composite {
				if err := enc.SetPrefix(g.scope.device.cfg.Prefix); err != nil {
					return nil, err
				}
			}
			for _, e := range g.entries {
				e.Time = moments[i].seconds()
				if err := enc.Entry(e); err != nil {
					return nil, err
				}
			}
		}
	}
	return enc.Finish()
}

// seconds returns the time of the moment as payloads carry it, to the microsecond.
func (m *moment) seconds() float64 { return float64(m.at.UnixMicro()) / 1e6 }

// dropStored drops what is stored, because the observation has ended. ofRegistration says that it
// ends with the registration: then PeerConfig.Unsent may take it.
func (o *observation) dropStored(ofRegistration bool) {
	st := o.store
	if st == nil {
		return
	}
	o.cfg().Sched.Cancel(&st.retry)
	if n := len(st.moments); n > 0 {
		o.delivered(GivenUp, n, errDropped)
	}
	values := st.lost
	if st.newest {
		values++
	}
	var entries []dm.Entry
	for i := range st.moments {
		m := &st.moments[i]
		for _, g := range m.groups {
			if !ofRegistration || o.scope.peer.cfg.Unsent == nil || g.scope.device.cfg.Prefix != "" {
				values += len(g.entries)
				continue
			}
			for _, e := range g.entries {
				e.Time = m.seconds()
				entries = append(entries, e)
			}
		}
	}
	o.release(len(st.moments))
	o.store = nil
	o.scope.peer.CountDropped(values)
	if len(entries) > 0 {
		o.scope.peer.cfg.Unsent(entries)
	}
}
