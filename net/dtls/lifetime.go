package dtls

import (
	"fmt"
	"log/slog"

	"github.com/lwm2mgen/toolkit/net/internal/secured"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// storePlace is where the session of a link is stored.
type storePlace struct {
	profile *profile
	target  secured.Target
	log     *slog.Logger
}

// Resumption implements secured.Link.
func (l *link) Resumption() socket.Resumption { return l.resumed }

// HasBuffered implements secured.Link.
func (l *link) HasBuffered() bool { return l.buffered.Load() || l.end.Load() != nil }

// Suspend implements secured.Link. There is nothing to do: the link sends nothing by itself.
func (l *link) Suspend() {}

// Resume implements secured.Link.
func (l *link) Resume() {}

// Supersede implements secured.Link.
func (l *link) Supersede() {
	l.mute()
	l.forgetUseless()
}

// Cancel implements secured.Link.
func (l *link) Cancel() { l.notifyClose() }

// Close implements secured.Link. The peer gets a close_notify.
func (l *link) Close() {
	l.notifyClose()
	l.forgetUseless()
}

// Shutdown implements secured.Link: it stores the live state if there is a Connection ID.
func (l *link) Shutdown() error {
	l.mute()
	l.forgetUseless()
	if len(l.sendCID) == 0 || !l.usable() || l.end.Load() != nil || l.store == nil {
		return nil
	}
	if err := l.store.profile.put(l.store.target, &stored{live: l.export()}); err != nil {
		return fmt.Errorf("dtls: the session is not kept: %w", err)
	}
	return nil
}

// usable reports whether the peer has shown that it knows the session.
func (l *link) usable() bool { return l.confirmed.Load() || l.resumed == socket.NewSession }

// forgetUseless removes the stored session if the connection has shown that it cannot be used.
func (l *link) forgetUseless() {
	if l.store == nil || l.usable() && !l.failed.Load() {
		return
	}
	p := l.store.profile
	_, err := p.sessions.Take(p.storeKey(l.store.target))
	secured.LogDebug(l.store.log, "dtls: stored session not removed", err)
}
