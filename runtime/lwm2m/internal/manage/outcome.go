package manage

import (
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Outcome is what became of a notification.
type Outcome uint8

// The outcomes of notifications.
const (
	Sent         Outcome = iota // it asked for no acknowledgement
	Acknowledged                // by the server
	Superseded                  // a newer one took its place before it was sent or acknowledged
	Rejected                    // by a Reset, which ends the observation
	GivenUp                     // it was not acknowledged, not sent, or dropped from the store
)

// Delivery is the outcome of one notification, or of one message with stored notifications.
type Delivery struct {
	Server  dm.ShortServerID
	Prefix  string    // of the device that the observation began at
	Paths   []dm.Path // that are observed
	Outcome Outcome
	Stored  int   // how many stored notifications it is about; 0 for one that was not stored
	Err     error // the reason, unless Sent or Acknowledged
}

var errDropped = errors.New("dropped from the store")

// delivered passes an outcome to Config.Delivered in the next turn of the loop.
func (o *observation) delivered(outcome Outcome, stored int, err error) {
	report := o.cfg().Delivered
	if report == nil {
		return
	}
	d := Delivery{
		Server: o.scope.peer.cfg.ShortServerID, Prefix: o.scope.device.cfg.Prefix, Paths: o.paths(), Outcome: outcome,
		Stored: stored, Err: err,
	}
	o.cfg().Sched.Post(func() { report(d) })
}

// paths returns the observed nodes.
func (o *observation) paths() []dm.Path {
	all := make([]dm.Path, len(o.parts))
	for i, p := range o.parts {
		all[i] = p.path
	}
	return all
}

// doneFunc returns the function that handles the outcome of a notification.
func (o *observation) doneFunc(confirmable bool) func(error) {
	if o.cfg().Delivered == nil {
		if o.done == nil {
			o.done = o.onDelivered
		}
		return o.done
	}
	return func(err error) {
		o.reportOutcome(confirmable, 0, err)
		o.onDelivered(err)
	}
}

// reportOutcome reports the outcome of a message.
func (o *observation) reportOutcome(confirmable bool, stored int, err error) {
	switch {
	case err == nil && confirmable:
		o.delivered(Acknowledged, stored, nil)
	case err == nil:
		o.delivered(Sent, stored, nil)
	case errors.Is(err, coap.ErrSuperseded):
		o.delivered(Superseded, stored, err)
	case errors.Is(err, coap.ErrReset):
		o.rejected = true
		o.delivered(Rejected, stored, err)
	default:
		o.delivered(GivenUp, stored, err)
	}
}

// noteTimeout reports to the owner of the peer that the server has not acknowledged a message.
func (o *observation) noteTimeout(err error) {
	if errors.Is(err, coap.ErrTimeout) && !o.ended {
		o.scope.peer.undelivered()
	}
}

// undelivered calls PeerConfig.Undelivered, if there is one.
func (p *Peer) undelivered() {
	if p.cfg.Undelivered != nil {
		p.cfg.Undelivered()
	}
}
