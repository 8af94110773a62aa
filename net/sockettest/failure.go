package sockettest

import (
	"context"
	"errors"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

func failureChecks() []check {
	unused := field("Unused", func(r *Rig) bool { return r.Unused.Host != "" })
	silent := field("Silent", func(r *Rig) bool { return r.Silent.Host != "" })
	waits := func(r *Rig, k socket.Kind, _ socket.Abilities) string {
		if k == socket.Datagram && r.Config.Security.Mode == socket.ModeNoSec {
			return "Connect does not wait for the peer"
		}
		return ""
	}
	noSecurity := func(r *Rig, _ socket.Kind, _ socket.Abilities) string {
		if r.Config.Security.Mode != socket.ModeNoSec {
			return "for sockets without security"
		}
		return ""
	}
	return []check{
		{name: "RefusedDatagram", run: checkRefusedDatagram, unless: requires(datagramOnly, noSecurity, unused)},
		{name: "RefusedStream", run: checkRefusedStream, unless: requires(streamOnly, unused)},
		{name: "UnknownHost", run: checkUnknown, unless: field("Unknown",
			func(r *Rig) bool { return r.Unknown != "" })},
		{name: "ConnectIsCancelled", run: checkCancelled, unless: requires(waits, silent)},
		{name: "CloseEndsConnect", run: checkCloseEndsConnect, unless: requires(waits, silent)},
		{name: "ProgressOfRefusal", run: checkProgressOfRefusal, unless: requires(waits, unused)},
		{name: "ProgressOfSilence", run: checkProgressOfSilence, unless: requires(waits, silent)},
	}
}

func checkRefusedDatagram(r *rig) {
	s := r.socket()
	if err := s.Connect(r.ctx, r.Unused); err != nil {
		r.t.Fatalf("Connect to an unused port: %v", err)
	}
	for range 2 {
		r.send(s, "anybody?")
		if got, err := r.recv(s, 10); !errors.Is(err, socket.ErrRefused) {
			r.t.Fatalf("Recv from a port without a listener: %q, %v; want ErrRefused", got, err)
		}
	}
	if st := s.State(); st != socket.StateConnected {
		r.t.Errorf("State after ErrRefused is %q, want %q", st, socket.StateConnected)
	}
	// A refusal that arrives between two datagrams must not stop the second.
	r.send(s, "one")
	r.arrived()
	r.send(s, "two")
	r.arrived()
	// The next connection must not report it either.
	if err := s.Close(); err != nil {
		r.t.Errorf("Close: %v", err)
	}
	r.echo(s, r.connect(s))
}

func checkRefusedStream(r *rig) {
	s := r.socket()
	var err error
	r.within("Connect", func() { err = s.Connect(r.ctx, r.Unused) })
	if !errors.Is(err, socket.ErrRefused) {
		r.t.Errorf("Connect to a port without a listener: %v, want ErrRefused", err)
	}
	r.failed(s)
}

// failed checks a socket after a Connect that failed.
func (r *rig) failed(s socket.Socket) {
	r.t.Helper()
	if st := s.State(); st != socket.StateClosed {
		r.t.Errorf("State after a Connect that failed is %q, want %q", st, socket.StateClosed)
	}
	if err := s.Send([]byte("x")); !errors.Is(err, socket.ErrClosed) {
		r.t.Errorf("Send after a Connect that failed: %v, want ErrClosed", err)
	}
	r.echo(s, r.connect(s))
}

func checkUnknown(r *rig) {
	s := r.socket()
	var err error
	r.within("Connect", func() { err = s.Connect(r.ctx, socket.Endpoint{Host: r.Unknown, Port: r.Remote.Port}) })
	if !errors.Is(err, socket.ErrAddressNotFound) {
		r.t.Errorf("Connect to %q: %v, want ErrAddressNotFound", r.Unknown, err)
	}
	r.failed(s)
}

func checkCancelled(r *rig) {
	s := r.socket()
	ctx, cancel := context.WithTimeout(r.ctx, 10*settle)
	defer cancel()
	var err error
	start := time.Now()
	r.within("Connect", func() { err = s.Connect(ctx, r.Silent) })
	if !errors.Is(err, context.DeadlineExceeded) {
		r.t.Errorf("Connect to somebody silent: %v, want context.DeadlineExceeded", err)
	}
	if d := time.Since(start); d > 10*settle+soon {
		r.t.Errorf("Connect took %v, its context %v", d, 10*settle)
	}
	r.failed(s)
}

func checkCloseEndsConnect(r *rig) {
	s := r.socket()
	var err error
	begun := make(chan struct{})
	done := r.start(func() {
		close(begun)
		err = s.Connect(r.ctx, r.Silent)
	})
	<-begun
	r.pause(settle)
	r.within("Close", func() { _ = s.Close() })
	r.wait("Connect", done)
	if !errors.Is(err, socket.ErrClosed) {
		r.t.Errorf("Connect on a socket that was closed during the call: %v, want ErrClosed", err)
	}
	r.failed(s)
}
