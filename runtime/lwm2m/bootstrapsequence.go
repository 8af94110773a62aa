package lwm2m

import (
	"errors"

	gensecurity "github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/bootstrap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/provision"
	"github.com/lwm2mgen/toolkit/runtime/objects/enrolment"
)

// errPackFormat refuses a Bootstrap-Pack.
var errPackFormat = errors.New("the Bootstrap-Pack has none of the Content-Formats that a pack may have")

// startSequence makes what the requests of the bootstrap server, or a Bootstrap-Pack, are applied
// with, unless this attempt has it already.
func (b *bootstrapper) startSequence() *provision.Sequence {
	if b.sequence != nil {
		return b.sequence
	}
	c := b.client
	var s *provision.Sequence
	s, err := provision.New(provision.Config{
		Sched: c.loop.sched, Context: c.ctx, Model: c.model, Store: c.stores.run, Logger: b.log,
		Worker:        func(fn func()) { c.pool.runFor(0, fn) },
		RecoverPanics: c.cfg.RecoverPanics, Version: c.cfg.MaxVersion, Usable: b.usableAccount,
		ImpliedVersion: coreVersion, Format: c.cfg.Format,
		Hidden: []dm.ObjectID{enrolment.ObjectID}, BeforeFinish: b.enrol,
		Limits: provision.Limits{Payload: c.cfg.MaxPayload},
		OnRequest: func() {
			if b.sequence == s {
				b.timeouts = 0
				b.handle(bootstrap.Event{Kind: bootstrap.ServerRequested})
			}
		},
		OnFinished: func() { b.onSequenceEnded(s, nil) },
		OnFailed:   func(err error) { b.onSequenceEnded(s, err) },
	})
	if err != nil { // the configuration is complete
		b.log.Error("the bootstrap cannot begin", "reason", err.Error())
		return nil
	}
	b.sequence, b.last = s, s
	return s
}

// usableAccount is checkAccount, where the bootstrap server reads the reasons that are the client's
// own. What a dialer or Config.Secure says stays on the device. An account with Security Mode 4 may
// be without a certificate until enrol has got one.
func (b *bootstrapper) usableAccount(snap dm.Snapshot, id dm.InstanceID) error {
	c := b.client
	var sec socket.Security
	switch err := translate(c.valuesOf(snap, securityID, id), &sec); {
	case errors.Is(err, errNotEnrolled) && b.fresh.Load() == nil && !b.account.isInstance(id):
		return nil
	case err != nil:
		return provision.Faultf(dm.Path{}, "%v", err) // the text has the path
	}
	if err := checkServerURI(c.uriOf(snap, id)); err != nil {
		return provision.Faultf(dm.ResourcePath(securityID, id, gensecurity.ServerURIID), "%v", err)
	}
	return c.checkAccount(snap, id)
}

// onSequenceEnded is called when a sequence has been published and its Finish answered, or has
// failed for good.
func (b *bootstrapper) onSequenceEnded(s *provision.Sequence, err error) {
	if b.sequence != s {
		return
	}
	b.sequence = nil
	b.fresh.Store(nil)
	if err != nil {
		b.err = err
		b.handle(bootstrap.Event{Kind: bootstrap.SequenceFailed})
		return
	}
	b.onPublished(bootstrap.SequenceFinished)
}

// onPublished is called when what the server has written is in effect. The accounts are reconciled
// first, so that the end of the attempt is decided by the new ones.
func (b *bootstrapper) onPublished(k bootstrap.Kind) {
	for _, s := range b.client.servers {
		s.failedForGood = false
	}
	b.settling = true
	b.client.reconcile()
	b.settling = false
	b.handle(bootstrap.Event{Kind: k})
	credentials := b.replaced
	b.replaced = false
	b.reconcile(b.client.bootstrapAccountIn(b.client.model.Snapshot()), credentials)
}

// applyPack applies the last Bootstrap-Pack.
func (b *bootstrapper) applyPack() {
	s := b.startSequence()
	if s == nil {
		b.handle(bootstrap.Event{Kind: bootstrap.PackFailed})
		return
	}
	p := b.pack
	b.pack = pack{}
	s.ApplyPack(p.format, p.body, func(err error) {
		switch {
		case b.sequence != s: // aborted
		case err != nil:
			b.err = err
			b.log.Info("the Bootstrap-Pack is refused", "reason", err.Error())
			b.handle(bootstrap.Event{Kind: bootstrap.PackFailed})
		default:
			b.sequence = nil
			b.fresh.Store(nil)
			b.onPublished(bootstrap.PackApplied)
		}
	})
}

// abort undoes what the server has written.
func (b *bootstrapper) abort() {
	b.fresh.Store(nil)
	if s := b.sequence; s != nil {
		b.sequence = nil
		s.Abort()
	}
}

// stop ends the last sequence when the loop may not run any more.
func (b *bootstrapper) stop() {
	if b.last != nil {
		b.last.Stop()
	}
}
