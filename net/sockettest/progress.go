package sockettest

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// signs records what a Connect passes to socket.ReportProgress.
type signs struct {
	r *rig

	mu       sync.Mutex
	reported []error
	returned bool // Connect has
}

// connectWithSigns calls Connect and checks each sign, and that none comes afterwards.
func (r *rig) connectWithSigns(ctx context.Context, s socket.Socket, remote socket.Endpoint) ([]error, error) {
	r.t.Helper()
	g := &signs{r: r}
	var err error
	r.within("Connect", func() { err = s.Connect(socket.WithProgress(ctx, g.report), remote) })
	g.mu.Lock()
	g.returned = true
	g.mu.Unlock()
	r.pause(10 * settle)
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.reported), err
}

func (g *signs) report(err error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	switch {
	case g.returned:
		g.r.t.Errorf("ReportProgress was called with %v after Connect had returned", err)
	case err == nil:
		g.r.t.Errorf("ReportProgress was called with nil")
	case !errors.Is(err, socket.ErrRefused) && !errors.Is(err, socket.ErrTimeout) &&
		!errors.As(err, new(*socket.AlertError)):
		g.r.t.Errorf("ReportProgress was called with %v, want ErrRefused, ErrTimeout or an *AlertError", err)
	}
	g.reported = append(g.reported, err)
}

// checkProgressOfRefusal: a Connect that goes on after a refusal says so, because it may take a
// minute.
func checkProgressOfRefusal(r *rig) {
	s := r.socket()
	start := time.Now()
	reported, err := r.connectWithSigns(r.ctx, s, r.Unused)
	if !errors.Is(err, socket.ErrRefused) {
		r.t.Errorf("Connect to a port without a listener: %v, want ErrRefused", err)
	}
	refusal := slices.ContainsFunc(reported, func(err error) bool { return errors.Is(err, socket.ErrRefused) })
	if d := time.Since(start); d > soon+10*settle && !refusal {
		r.t.Errorf("Connect to a port without a listener took %v and did not pass the refusal to ReportProgress", d)
	}
	r.failed(s)
}

// silence is longer than the first time-out of a handshake.
const silence = 1500 * time.Millisecond

// checkProgressOfSilence: silence is no refusal. A Connect need not report it.
func checkProgressOfSilence(r *rig) {
	s := r.socket()
	ctx, cancel := context.WithTimeout(r.ctx, silence)
	defer cancel()
	reported, err := r.connectWithSigns(ctx, s, r.Silent)
	if !errors.Is(err, context.DeadlineExceeded) {
		r.t.Errorf("Connect to somebody silent: %v, want context.DeadlineExceeded", err)
	}
	for _, sign := range reported {
		if errors.Is(sign, socket.ErrRefused) {
			r.t.Errorf("ReportProgress was called with %v, and nothing was refused", sign)
		}
	}
	if len(reported) == 0 && r.Config.Security.Mode != socket.ModeNoSec && s.Kind() == socket.Datagram {
		r.t.Logf("Connect does not call ReportProgress: the client learns of a silent server when Connect returns")
	}
	r.failed(s)
}
