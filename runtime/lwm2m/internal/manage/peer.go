package manage

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/attr"
)

// PeerConfig configures a [Peer].
type PeerConfig struct {
	// ShortServerID identifies the server, 1..65534. Required.
	ShortServerID dm.ShortServerID
	// Version is the version of LwM2M that the registration has agreed upon. The zero value means
	// 1.0.
	Version registry.Version
	// Format is the Content-Format of answers to requests without Accept. The zero value, which is
	// plain text and cannot be meant, means TLV for LwM2M 1.0 and SenML CBOR for later versions.
	Format content.Format
	// PlainText answers a Read or Observe of a single value without Accept in plain text, or as an
	// octet stream if it is an Opaque. The zero value means Format.
	PlainText bool
	// Root is the alternate path under which the server addresses the objects, such as "/lwm2m".
	// The zero value means none.
	Root string
	// Authorize decides about access to a node of the device with the given prefix: nil allows an
	// operation, an error refuses it with its code, 4.01 as a rule. Reads and writes ask for each
	// instance, and for the object where an operation concerns the object as a whole. It may be
	// called on a worker. The zero value means that everything is allowed.
	Authorize func(op Operation, prefix string, p dm.Path) error
	// Unsent takes values of the device itself, with their times, that were stored for observations
	// which have ended with the registration. The zero value means that they count as dropped.
	Unsent func(values []dm.Entry)
	// Undelivered is called when the server has not acknowledged a notification, or has rejected
	// one: it may be gone, or may have forgotten the device. The zero value means that no function
	// is called.
	Undelivered func()
	// Wake asks to have a device in queue mode woken, because a notification is due after Hold. The
	// zero value means that nothing is called.
	Wake func()
	// Released is called when the notifications that waited have been handed over after Release.
	// The zero value means that nothing is called.
	Released func()
}

// Peer is one management server. It routes the server's requests (see route.go) and counts what the
// server may have over all devices. Its methods belong to the goroutine of the scheduler.
type Peer struct {
	m    *Manager
	cfg  PeerConfig
	who  dm.Origin
	fast context.Context // in which slow functions refuse
	slow context.Context
	// The same for samples of observations (dm.SampleEvery).
	sampleFast, sampleSlow context.Context
	root                   []string // the path segments of Root
	conn                   *coap.Conn
	closed                 bool
	asleep                 bool     // notifications wait, see Hold
	woken                  bool     // Wake was called since Hold
	due                    line     // to be sampled now, in turn with those of other servers
	scopes                 []*scope // one for each device
	// observed are the observations, in no order.
	observed []*observation
	defaults defaults

	requests     quota // that wait
	observations quota
	values       quota // that observations cover
	attributes   quota // nodes that have some
	releasing    int   // observations that have waited, and are not sampled yet

	storedValues  atomic.Int64  // in the stores of all observations
	droppedValues atomic.Uint64 // that were stored, or left out, and never sent
}

// quota counts what one server has of something.
type quota struct{ used, limit int }

func (q *quota) full() bool { return q.used >= q.limit }

// take counts one more; it returns false where the limit is reached.
func (q *quota) take() bool {
	if q.full() {
		return false
	}
	q.used++
	return true
}

// AddPeer adds a management server for all devices. It fails when there is one with the same Short
// Server ID, or the configuration is wrong.
func (m *Manager) AddPeer(cfg PeerConfig) (*Peer, error) {
	switch {
	case m.closed:
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
			return nil, fmt.Errorf("manage: there is already a server %d", cfg.ShortServerID)
		}
	}
	limits := &m.cfg.Limits
	p := &Peer{
		m: m, cfg: cfg, who: dm.Server(cfg.ShortServerID), requests: quota{limit: limits.Pending},
		observations: quota{limit: limits.Observations}, values: quota{limit: limits.ObservedValues}, attributes: quota{limit: limits.Attributes},
	}
	p.slow = dm.WithOrigin(m.cfg.Context, p.who)
	p.fast = dm.RefuseSlow(p.slow)
	p.sampleFast, p.sampleSlow = dm.WithSampling(p.fast), dm.WithSampling(p.slow)
	if cfg.Root != "" {
		p.root = strings.Split(cfg.Root[1:], "/")
	}
	m.peers = append(m.peers, p)
	for _, d := range m.devices {
		newScope(p, d)
	}
	return p, nil
}

// Close removes the server with its attributes and observations, without notifying it. Requests
// that wait are dropped. Closing twice does nothing.
func (p *Peer) Close() {
	if p.closed {
		return
	}
	p.closed = true
	for _, s := range slices.Clone(p.scopes) {
		s.close()
	}
	p.dropChanges()
	p.m.cfg.Scratch.due.drop(p)
	p.m.peers = slices.DeleteFunc(p.m.peers, func(x *Peer) bool { return x == p })
}

// SetVersion sets the version of LwM2M that a registration has agreed upon.
func (p *Peer) SetVersion(v registry.Version) { p.cfg.Version = v }

// Attach says over which connection the server is reached now. Observations made over an earlier
// connection continue over c: call Reset before where the server has forgotten them, as after a
// Register.
func (p *Peer) Attach(c *coap.Conn) {
	p.conn = c
	for _, o := range slices.Clone(p.observed) {
		o.attach(c)
	}
}

// Detach says that the server cannot be reached for now. Observations wait, and requests that have
// not begun are dropped, because their answers could not be sent.
func (p *Peer) Detach() {
	p.conn = nil
	p.scheduleAll()
	p.dropChanges()
}

// Reset drops all observations without notifying the server (Core 1.2.2 §6.2.1: a new registration
// starts without any). Attributes stay.
func (p *Peer) Reset() {
	for len(p.observed) > 0 {
		o := p.observed[len(p.observed)-1]
		o.dropStored(true)
		o.cancel()
	}
}

// Observations returns how many observations the server has, over all devices.
func (p *Peer) Observations() int { return p.observations.used }

func (p *Peer) dropChanges() {
	p.m.changer.drop(func(c *change) bool { return c.q.scope.peer == p })
}

// scope returns what the server has at the device with a prefix, nil where there is no such device.
func (p *Peer) scope(prefix []byte) *scope {
	for _, s := range p.scopes {
		if s.device.cfg.Prefix == string(prefix) {
			return s
		}
	}
	return nil
}

// A scope is one server's management of one device: its access, its attributes and its
// observations.
type scope struct {
	peer       *Peer
	device     *Device
	access     access
	attributes attr.Nodes
	reporter   reporter
	closed     bool
	lead       []string // the path segments before the object ID: alternate path and prefix
	linkRoot   string   // the same as it stands before the paths of links
}

func newScope(p *Peer, d *Device) *scope {
	s := &scope{peer: p, device: d, access: newAccess(&p.cfg, &d.cfg)}
	s.reporter = reporter{cfg: &p.m.cfg, reader: &p.m.reader, scope: s}
	s.lead = slices.Clip(p.root)
	if d.cfg.Prefix != "" {
		s.lead = append(s.lead, d.cfg.Prefix)
	}
	if len(s.lead) > 0 {
		s.linkRoot = "/" + strings.Join(s.lead, "/")
	}
	p.scopes = append(p.scopes, s)
	d.scopes = append(d.scopes, s)
	return s
}

// close drops the observations and attributes.
func (s *scope) close() {
	s.closed = true
	s.reporter.close()
	s.dropAttributes()
	is := func(x *scope) bool { return x == s }
	s.peer.scopes = slices.DeleteFunc(s.peer.scopes, is)
	s.device.scopes = slices.DeleteFunc(s.device.scopes, is)
}

// snapshot returns the present state of the device.
func (s *scope) snapshot() dm.Snapshot { return s.device.cfg.Model.Snapshot() }
