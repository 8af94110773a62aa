package lwm2m

import (
	"crypto/x509"
	"time"

	gensecurity "github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/bootstrap"
)

// The renewal of enrolled certificates. Before one ends the client bootstraps: the bootstrap server
// is the EST server, and at the end of a bootstrap the device enrols again. A bootstrap that fails
// is repeated as every other, and the account is used with the old certificate in the meantime.

// maxRenewBefore is the longest default of EST.RenewBefore.
const maxRenewBefore = 30 * 24 * time.Hour

// maxRenewalWait is how long the client waits before it compares the clock with the certificates
// again: the clock of a device without a battery is set some time after its start.
const maxRenewalWait = 24 * time.Hour

// renewAt returns when a certificate is to be renewed. At least half of its validity is used, so
// that short certificates do not make the device enrol again and again.
func (e *EST) renewAt(c *x509.Certificate) time.Time {
	validity := c.NotAfter.Sub(c.NotBefore)
	before := min(validity/5, maxRenewBefore)
	if e.RenewBefore > 0 {
		before = min(e.RenewBefore, validity/2)
	}
	return c.NotAfter.Add(-before)
}

// planRenewal starts the timer for the first certificate that is to be renewed.
func (b *bootstrapper) planRenewal() {
	c := b.client
	c.loop.sched.Cancel(&b.renewal)
	if c.closing || !b.account.present {
		return
	}
	if first := c.firstRenewal(); !first.IsZero() {
		c.loop.sched.After(&b.renewal, min(max(0, time.Until(first)), maxRenewalWait))
	}
}

// firstRenewal returns when the first certificate is to be renewed, the zero value without one.
func (c *Client) firstRenewal() time.Time {
	var first time.Time
	s := c.model.Snapshot()
	for _, id := range c.enrolling(s) {
		if leaf := c.leafFor(s, id); leaf != nil {
			if at := c.cfg.EST.renewAt(leaf); first.IsZero() || at.Before(first) {
				first = at
			}
		}
	}
	return first
}

// leafFor returns the certificate that the device has enrolled for, nil without one.
func (c *Client) leafFor(s dm.Snapshot, security dm.InstanceID) *x509.Certificate {
	chain, err := socket.ParseCertificates(c.enrolledFor(s, security).chain)
	if err != nil || len(chain) == 0 {
		return nil
	}
	leaf, err := x509.ParseCertificate(chain[0])
	if err != nil {
		return nil
	}
	return leaf
}

// renewable returns the certificate that an enrolment for a Security instance replaces, nil if it
// is the first one, or the last one has ended.
func (c *Client) renewable(security dm.InstanceID) *x509.Certificate {
	s := c.model.Snapshot()
	if !s.Has(dm.ResourcePath(securityID, security, gensecurity.SecurityModeID)) {
		return nil
	}
	leaf := c.leafFor(s, security)
	if leaf == nil || !time.Now().Before(leaf.NotAfter) {
		return nil
	}
	return leaf
}

// onRenewal asks for a bootstrap if a certificate is to be renewed.
func (b *bootstrapper) onRenewal() {
	if first := b.client.firstRenewal(); first.IsZero() || time.Now().Before(first) {
		b.planRenewal()
		return
	}
	b.log.Info("a certificate is to be renewed")
	if b.cause == nil {
		b.cause = errRenewal
	}
	b.handle(bootstrap.Event{Kind: bootstrap.RequestedByApplication})
}
