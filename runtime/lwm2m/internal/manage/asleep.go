package manage

import (
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// Queue mode: while the receiver of the device is off, nodes are sampled as usual, and nothing is
// sent. A notification that becomes due waits, and asks once to have the device woken. When the
// device is awake and has told the server so, the nodes that wait are sampled again, and the server
// gets their values of that time. Being asleep is not being offline: nothing is stored because of
// it.

// Hold has the notifications to the server wait, because the receiver is off. PeerConfig.Wake is
// called when the first one is due.
func (p *Peer) Hold() { p.asleep = true }

// Release has the server notified of what waited: first of what was stored while it could not be
// reached, then of what has become due since Hold.
func (p *Peer) Release() {
	if !p.asleep {
		return
	}
	p.asleep, p.woken = false, false
	for _, o := range p.observed {
		if o.held {
			o.held, o.releasing = false, true
			p.releasing++
			o.forget()
		}
	}
	for _, o := range p.observed {
		if o.store != nil {
			o.drain()
		}
	}
}

// Releasing reports whether notifications that waited have not been handed to the exchange layer
// yet. PeerConfig.Released is called when they have.
func (p *Peer) Releasing() bool { return p.releasing > 0 }

// wake asks to have the device woken, once for each Hold.
func (p *Peer) wake() {
	if p.asleep && !p.woken {
		p.woken = true
		if p.cfg.Wake != nil {
			p.cfg.Wake()
		}
	}
}

// hold has a notification wait until the device is awake.
func (o *observation) hold() {
	o.held = true
	o.scope.peer.wake()
}

// released notes that the sample that followed Release is over.
func (o *observation) released() {
	if !o.releasing || o.busy {
		return
	}
	o.releasing = false
	p := o.scope.peer
	if p.releasing--; p.releasing == 0 && p.cfg.Released != nil && !p.closed {
		p.cfg.Released()
	}
}

// Busy reports whether something is under way that leads to a message: a node is being sampled, or
// stored notifications are being sent.
func (p *Peer) Busy() bool {
	for _, o := range p.observed {
		if o.busy || o.queued || o.releasing || o.store != nil && (o.store.sending > 0 || o.store.retry.Pending()) {
			return true
		}
	}
	return false
}

// NextSample returns when an observed node is sampled next, attr.Never if none is planned.
func (p *Peer) NextSample() sched.Time {
	next := attr.Never
	for _, o := range p.observed {
		next = min(next, o.next())
	}
	return next
}
