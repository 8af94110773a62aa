package secured

import (
	"context"
	"net/netip"
	"strings"
	"sync"

	"github.com/lwm2mgen/toolkit/net/internal/accept"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// MaxPending bounds the connections that wait to be accepted, and the handshakes that run at the
// same time; more are refused.
const MaxPending = 128

// Listener is the common half of listeners that secure the connections of another one. It
// implements all of socket.Listener; a protocol may wrap Close.
type Listener struct {
	Below socket.Listener
	Ctx   context.Context // ends when Close begins

	cancel     context.CancelFunc
	queue      *accept.Queue
	handshakes chan struct{} // a token for each handshake in progress
	work       sync.WaitGroup
}

// Init prepares a listener over below, which it owns from then on.
func (l *Listener) Init(below socket.Listener) {
	l.Below = below
	l.Ctx, l.cancel = context.WithCancel(context.Background())
	l.queue, l.handshakes = accept.NewQueue(MaxPending), make(chan struct{}, MaxPending)
}

// Serve calls handle with each connection of the listener below, in one goroutine, until Close.
func (l *Listener) Serve(handle func(socket.Socket)) {
	l.work.Go(func() {
		for {
			s, err := l.Below.Accept(l.Ctx)
			if err != nil {
				return
			}
			handle(s)
		}
	})
}

// Go runs f in a goroutine that Close waits for. Call it from Serve or from such a goroutine only.
func (l *Listener) Go(f func()) { l.work.Go(f) }

// BeginHandshake returns false if too many handshakes are in progress. EndHandshake must follow if
// it returns true.
func (l *Listener) BeginHandshake() bool {
	select {
	case l.handshakes <- struct{}{}:
		return true
	default:
		return false
	}
}

// EndHandshake allows another handshake to begin.
func (l *Listener) EndHandshake() { <-l.handshakes }

// Offer queues a secured connection for Accept, or closes it if the queue is full or closed.
func (l *Listener) Offer(s socket.Socket) {
	if !l.queue.Put(s) {
		_ = s.Close()
	}
}

// SchemeOr returns the secured form of the scheme below, such as "coaps+tcp" over "coap+tcp". It
// returns a default if the listener below does not know its scheme.
func (l *Listener) SchemeOr(scheme string) string {
	if below, ok := l.Below.(socket.SchemeListener); ok && below.Scheme() != "" {
		return strings.Replace(below.Scheme(), "coap", "coaps", 1)
	}
	return scheme
}

// Addr implements socket.Listener.
func (l *Listener) Addr() netip.AddrPort { return l.Below.Addr() }

// Accept implements socket.Listener.
func (l *Listener) Accept(ctx context.Context) (socket.Socket, error) { return l.queue.Accept(ctx) }

// Close implements socket.Listener.
func (l *Listener) Close() error { return l.CloseWith(func() {}) }

// CloseWith closes the listener. It calls unblock after Ctx has ended, to end what the goroutines
// of Go wait for in addition to Ctx and the listener below.
func (l *Listener) CloseWith(unblock func()) error {
	l.cancel()
	left := l.queue.Close()
	unblock()
	err := l.Below.Close()
	l.work.Wait()
	for _, s := range left {
		_ = s.Close()
	}
	return err
}
