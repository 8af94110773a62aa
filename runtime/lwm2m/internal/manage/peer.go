package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// PeerConfig is what a [Peer] is made with.
type PeerConfig struct {
	// ShortServerID is the server's, 1..65534. Required.
	ShortServerID dm.ShortServerID
	// Version is the version of LwM2M that the registration has agreed upon. Zero: 1.0.
	Version registry.Version
	// Format is the Content-Format of answers to requests without Accept. Zero, which is plain text and
	// cannot be meant: TLV for LwM2M 1.0, SenML CBOR for later versions.
	Format content.Format
	// Root is the alternate path under which the server addresses the objects, such as "/lwm2m". Zero:
	// none.
	Root string
	// Authorize decides about access: nil lets an operation on a node pass, an error refuses it with its
	// code, 4.01 as a rule. Of reads and writes it is asked for each instance, and for the object where
	// an operation concerns it as a whole. It may be called on a worker. Zero: everything passes.
	Authorize func(op Operation, p dm.Path) error
}

// Peer is one management server. Its methods belong to the goroutine of the scheduler.
type Peer struct {
	m       *Manager
	cfg     PeerConfig
	who     dm.Origin
	fast    context.Context // in which slow functions refuse
	slow    context.Context
	lead    []string // the path segments before the object ID
	conn    *coap.Conn
	pending int
	closed  bool

	attributes   []attached // ascending by path
	observations []*observation
}

// AddPeer adds a management server. It fails when there is one with the same Short Server ID, or the
// configuration is wrong.
func (m *Manager) AddPeer(cfg PeerConfig) (*Peer, error) {
	switch {
	case m.closed.Load():
		return nil, errors.New("manage: the manager is closed")
	case cfg.ShortServerID == 0 || cfg.ShortServerID == 65535:
		return nil, fmt.Errorf("manage: PeerConfig.ShortServerID is %d, it must be from 1 to 65534", cfg.ShortServerID)
	case cfg.Root != "" && (cfg.Root[0] != '/' || strings.HasSuffix(cfg.Root, "/")):
		return nil, fmt.Errorf("manage: PeerConfig.Root is %.64q, it must be like /lwm2m", cfg.Root)
	case cfg.Format != 0 && !cfg.Format.Carries(content.Read, dm.ObjectLevel):
		return nil, fmt.Errorf("manage: PeerConfig.Format is %v, which cannot carry an object", cfg.Format)
	}
	for _, p := range m.peers {
		if p.cfg.ShortServerID == cfg.ShortServerID {
			return nil, fmt.Errorf("manage: there is a server %d already", cfg.ShortServerID)
		}
	}
	p := &Peer{m: m, cfg: cfg, who: dm.Server(cfg.ShortServerID)}
	p.slow = dm.WithOrigin(m.cfg.Context, p.who)
	p.fast = dm.RefuseSlow(p.slow)
	if cfg.Root != "" {
		p.lead = strings.Split(cfg.Root[1:], "/")
	}
	if m.cfg.Prefix != "" {
		p.lead = append(p.lead, m.cfg.Prefix)
	}
	m.peers = append(m.peers, p)
	return p, nil
}

// Close removes the server with its attributes and observations, of which it is not told. Requests
// that wait are dropped. Closing twice does nothing.
func (p *Peer) Close() {
	if p.closed {
		return
	}
	p.Reset()
	p.m.watched.Add(-int64(len(p.attributes)))
	p.closed, p.attributes = true, nil
	p.dropChanges()
	p.m.peers = slices.DeleteFunc(p.m.peers, func(q *Peer) bool { return q == p })
}

// SetVersion sets the version of LwM2M that a registration has agreed upon.
func (p *Peer) SetVersion(v registry.Version) { p.cfg.Version = v }

// Attach says over which connection the server is reached now. Observations made over an earlier one
// go on over it: call Reset before where the server has forgotten them, as after a Register.
func (p *Peer) Attach(c *coap.Conn) {
	p.conn = c
	for _, o := range slices.Clone(p.observations) {
		o.attach(c)
	}
}

// Detach says that the server cannot be reached for now. Observations wait, and requests that have
// not been begun are dropped, as nobody waits for their answers.
func (p *Peer) Detach() {
	p.conn = nil
	for _, o := range p.observations {
		o.arm()
	}
	p.dropChanges()
}

// Reset drops all observations without telling the server (Core 1.2.2 §6.2.1: a new registration
// begins without any). Attributes stay.
func (p *Peer) Reset() {
	for len(p.observations) > 0 {
		p.observations[0].cancel()
	}
}

// Observations returns how many observations the server has.
func (p *Peer) Observations() int { return len(p.observations) }

func (p *Peer) dropChanges() {
	for c := range p.m.changes {
		if c.p == p && c.drop() {
			c.forget()
		}
	}
}

// authorize asks for access to a node.
func (p *Peer) authorize(op Operation, path dm.Path) error {
	if p.cfg.Authorize == nil {
		return nil
	}
	return p.cfg.Authorize(op, path)
}

// take counts a request that is to wait; false where too many do.
func (p *Peer) take() bool {
	if p.pending >= p.m.cfg.Limits.Pending {
		return false
	}
	p.pending++
	return true
}

func (p *Peer) give() { p.pending-- }
