package sockettest

import (
	"context"
	"fmt"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// port is a good socket of package simnet, each part of which can be replaced by a broken one.
type port struct {
	socket.Socket
	able socket.Abilities
	lab  *lab
	Key  []byte // what SecretsAreHidden looks for; not set in a good port

	connect  func(ctx context.Context, remote socket.Endpoint) error
	send     func(p []byte) error
	recv     func(p []byte) (int, error)
	deadline func(t time.Time)
	close    func() error
	state    func() socket.State
	mtu      func() int
}

func (p *port) Connect(ctx context.Context, remote socket.Endpoint) error {
	if p.connect != nil {
		return p.connect(ctx, remote)
	}
	return p.Socket.Connect(ctx, remote)
}

func (p *port) Send(b []byte) error {
	if p.send != nil {
		return p.send(b)
	}
	return p.Socket.Send(b)
}

func (p *port) Recv(b []byte) (int, error) {
	if p.recv != nil {
		return p.recv(b)
	}
	return p.Socket.Recv(b)
}

func (p *port) SetRecvDeadline(t time.Time) {
	if p.deadline != nil {
		p.deadline(t)
		return
	}
	p.Socket.SetRecvDeadline(t)
}

func (p *port) Close() error {
	if p.close != nil {
		return p.close()
	}
	return p.Socket.Close()
}

func (p *port) State() socket.State {
	if p.state != nil {
		return p.state()
	}
	return p.Socket.State()
}

func (p *port) InnerMTU() int {
	if p.mtu != nil {
		return p.mtu()
	}
	return p.Socket.InnerMTU()
}

func (p *port) Abilities() socket.Abilities { return p.able }

// String keeps fmt from walking through the network, unless there is something to find.
func (p *port) String() string { return fmt.Sprintf("port %s", p.Key) }

// lab is a network with broken ports on it.
type lab struct {
	kind    socket.Kind
	faults  func(p *port)           // breaks a socket that was made
	config  func(c *socket.Config)  // breaks how it is made
	rig     func(r *Rig)            // surroundings that a check needs
	release chan struct{}           // closed at the end of the check, to release blocked calls
	ports   map[netip.AddrPort]bool // bound exclusively
	forged  chan []byte             // what strangers have sent

	mu   sync.Mutex
	made []socket.Socket
}

// Schemes implements socket.Dialer.
func (*lab) Schemes() []string { return []string{"coap"} }

// dialer makes ports on a host.
type dialer struct {
	*lab
	below socket.Dialer
}

func (d dialer) NewSocket(c socket.Config) (socket.Socket, error) {
	if d.lab.config != nil {
		d.lab.config(&c)
	}
	s, err := d.below.NewSocket(c)
	if err != nil {
		return nil, err
	}
	d.mu.Lock()
	d.made = append(d.made, s)
	d.mu.Unlock()
	p := &port{Socket: s, able: socket.Detect(s), lab: d.lab}
	if d.faults != nil {
		d.faults(p)
	}
	return p, nil
}

// newRig sets up the network.
func (l *lab) newRig(t testing.TB) Rig {
	n := simnet.New(1)
	dev, dead, srv, second := n.NewHost("device"), n.NewHost("dead"), n.NewHost("server"), n.NewHost("second")
	dead.SetDown(true)
	n.SetName("multihomed", dead.Addrs()[0], srv.Addrs()[0])
	listen := func(h *simnet.Host) socket.Listener {
		f := h.Listen
		if l.kind == socket.Stream {
			f = h.ListenStream
		}
		got, err := f(5683)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = got.Close() })
		return got
	}
	below := dev.Dialer()
	if l.kind == socket.Stream {
		below = dev.StreamDialer()
	}
	r := Rig{
		Dialer:       dialer{l, below},
		Remote:       socket.Endpoint{Host: srv.Addrs()[0].String(), Port: 5683},
		Peer:         listen(srv),
		Unused:       socket.Endpoint{Host: "server", Port: 9},
		Silent:       socket.Endpoint{Host: "dead", Port: 9},
		Unknown:      "nobody",
		SecondRemote: socket.Endpoint{Host: "second", Port: 5683},
		SecondPeer:   listen(second),
		Multihomed:   socket.Endpoint{Host: "multihomed", Port: 5683},
		Taken:        netip.AddrPortFrom(dev.Addrs()[0], 4444),
		Secrets:      [][]byte{[]byte("hunter2")},
	}
	l.forged = make(chan []byte, 10)
	r.Stranger = func(to netip.AddrPort, b []byte) error {
		n.Inject(netip.MustParseAddrPort("192.0.2.66:5683"), to, b)
		l.forged <- b
		return nil
	}
	holder, err := below.NewSocket(socket.Config{Local: r.Taken})
	if err == nil {
		err = holder.Connect(context.Background(), r.Remote)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = holder.Close() })
	if l.kind == socket.Stream {
		if _, err := r.Peer.Accept(context.Background()); err != nil {
			t.Fatal(err)
		}
	}
	if l.rig != nil {
		l.rig(&r)
	}
	return r
}

// recorder is the testing.TB of a check that is expected to fail.
type recorder struct {
	testing.TB
	mu       sync.Mutex
	failures []string
	skipped  string
	cleanups []func()
}

func (r *recorder) Helper()             {}
func (r *recorder) Logf(string, ...any) {}
func (r *recorder) Cleanup(f func())    { r.cleanups = append(r.cleanups, f) }
func (r *recorder) Fatal(a ...any)      { r.Fatalf("%s", fmt.Sprint(a...)) }
func (r *recorder) Fatalf(f string, a ...any) {
	r.Errorf(f, a...)
	runtime.Goexit()
}

func (r *recorder) Errorf(f string, a ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.failures = append(r.failures, fmt.Sprintf(f, a...))
}

func (r *recorder) Skip(a ...any) {
	r.skipped = fmt.Sprint(a...)
	runtime.Goexit()
}

// outcome runs one check on a lab in a bubble of its own.
func outcome(t *testing.T, c check, l *lab) *recorder {
	t.Helper()
	rec := &recorder{TB: t}
	synctest.Test(t, func(*testing.T) {
		l.release = make(chan struct{})
		l.ports = make(map[netip.AddrPort]bool)
		done := make(chan struct{})
		go func() {
			defer close(done)
			runOne(rec, c, hangs, l.newRig)
		}()
		<-done
		close(l.release)
		for i := len(rec.cleanups) - 1; i >= 0; i-- {
			rec.cleanups[i]()
		}
		for _, s := range l.made {
			_ = s.Close()
		}
		<-time.After(patience) // wait for the released calls
	})
	return rec
}

// TestGoodPort: the wrapper itself makes no check fail.
func TestGoodPort(t *testing.T) {
	for _, c := range checks() {
		ran := false
		for _, kind := range []socket.Kind{socket.Datagram, socket.Stream} {
			rec := outcome(t, c, &lab{kind: kind})
			if len(rec.failures) > 0 {
				t.Errorf("%s, %s: %q", c.name, kind, rec.failures)
			}
			ran = ran || rec.skipped == ""
		}
		if !ran && faults()[c.name].lacking == "" {
			t.Errorf("%s never ran", c.name)
		}
	}
}

// TestIncompleteRig: the error names the missing field.
func TestIncompleteRig(t *testing.T) {
	for want, rig := range map[string]func(*Rig){
		"the Rig has no Dialer":                            func(r *Rig) { r.Dialer = nil },
		"the Rig has no Peer":                              func(r *Rig) { r.Peer = nil },
		"NewSocket returned neither a socket nor an error": func(r *Rig) { r.Dialer = noSocket{r.Dialer} },
	} {
		rec := outcome(t, checks()[0], &lab{kind: socket.Datagram, rig: rig})
		if len(rec.failures) != 1 || !strings.Contains(rec.failures[0], want) {
			t.Errorf("%q, want %q", rec.failures, want)
		}
	}
}

type noSocket struct{ socket.Dialer }

func (noSocket) NewSocket(socket.Config) (socket.Socket, error) { return nil, nil }

// TestBusyPort: a port that accepts one message at a time, as a modem does, passes.
func TestBusyPort(t *testing.T) {
	for _, c := range checks() {
		l := &lab{kind: socket.Datagram, faults: func(p *port) {
			var busy atomic.Bool
			p.send = func(b []byte) error {
				if len(b) <= p.InnerMTU() && p.State() == socket.StateConnected && busy.CompareAndSwap(false, true) {
					return socket.ErrBusy
				}
				busy.Store(false)
				return p.Socket.Send(b)
			}
		}}
		if rec := outcome(t, c, l); len(rec.failures) > 0 {
			t.Errorf("%s: %q", c.name, rec.failures)
		}
	}
}

// TestBrokenPorts: a port with one fault fails the check for it.
func TestBrokenPorts(t *testing.T) {
	byName := make(map[string]check)
	for _, c := range checks() {
		byName[c.name] = c
		if _, ok := faults()[c.name]; !ok {
			t.Errorf("there is no broken port for %s", c.name)
		}
	}
	for name, f := range faults() {
		of, _, _ := strings.Cut(name, "/")
		c, ok := byName[of]
		if !ok {
			t.Errorf("there is no check %s", of)
			continue
		}
		t.Run(name, func(t *testing.T) {
			l := &lab{kind: f.kind, faults: f.socket, config: f.config, rig: f.rig}
			rec := outcome(t, c, l)
			if rec.skipped != "" && rec.skipped == f.lacking {
				t.Skip(f.lacking)
			}
			if rec.skipped != "" {
				t.Errorf("skipped: %s", rec.skipped)
			} else if len(rec.failures) == 0 {
				t.Error("a broken port passes")
			}
			for _, failure := range rec.failures {
				t.Logf("as it should: %s", failure)
			}
		})
	}
}
