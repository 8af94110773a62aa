package socket

import (
	"context"
	"errors"
	"sync"
)

// polled is a socket with a descriptor that a Poller watches.
type polled struct {
	Socket
	able   Abilities
	poller *Poller
	notify notification

	mu     sync.Mutex
	remove func() // stops watching; nil if nothing is watched
}

func (w *polled) watch() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	remove, err := w.poller.add(w.able.Handle, w.notify.call)
	if err != nil {
		return err
	}
	w.remove = remove
	return nil
}

// unwatch stops watching. It must be called before the descriptor is closed, because another socket
// may get the same number at once.
func (w *polled) unwatch() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.remove != nil {
		w.remove()
		w.remove = nil
	}
}

func (w *polled) Connect(ctx context.Context, remote Endpoint) error {
	return w.connected(w.Socket.Connect(ctx, remote))
}

// connected watches the new descriptor. If that fails, it closes the connection.
func (w *polled) connected(err error) error {
	if err != nil {
		return err
	}
	w.unwatch()
	if err := w.watch(); err != nil {
		return errors.Join(err, w.Socket.Close())
	}
	return nil
}

func (w *polled) Close() error {
	w.unwatch()
	err := w.Socket.Close()
	w.notify.call()
	return err
}

// NotifyReadable implements Notifier. It always calls the function: finding out whether data is
// waiting would take a system call.
func (w *polled) NotifyReadable(ready func()) {
	w.notify.set(ready)
	if w.State().Open() {
		w.notify.call()
	}
}

// Abilities implements Describer.
func (w *polled) Abilities() Abilities {
	a := w.able
	a.Notifier = w
	if a.Alternates != nil {
		a.Alternates = polledAlternates{w}
	}
	if a.Shutdowner != nil {
		a.Shutdowner = polledShutdowner{w}
	}
	return a
}

type polledAlternates struct{ w *polled }

func (p polledAlternates) ConnectNext(ctx context.Context) error {
	return p.w.connected(p.w.able.Alternates.ConnectNext(ctx))
}

type polledShutdowner struct{ w *polled }

func (p polledShutdowner) Shutdown() error {
	p.w.unwatch()
	err := p.w.able.Shutdowner.Shutdown()
	p.w.notify.call()
	return err
}
