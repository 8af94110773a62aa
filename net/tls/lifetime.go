package tls

import "github.com/lwm2mgen/toolkit/net/socket"

// Resumption implements secured.Link.
func (l *link) Resumption() socket.Resumption {
	if l.tls.ConnectionState().DidResume {
		return socket.SessionResumed
	}
	return socket.NewSession
}

// HasBuffered implements secured.Link.
func (l *link) HasBuffered() bool { return l.buffered.Load() }

// Suspend implements secured.Link: what is encrypted must not reach another connection.
func (l *link) Suspend() { l.wire.stop() }

// Resume implements secured.Link.
func (l *link) Resume() { l.wire.resume() }

// Supersede implements secured.Link. Suspend has stopped the wire.
func (l *link) Supersede() {}

// Cancel implements secured.Link.
func (l *link) Cancel() { l.wire.stop() }

// Close implements secured.Link. The peer gets a close_notify if there is room for it.
func (l *link) Close() {
	l.sending.Lock()
	_ = l.tls.CloseWrite()
	l.sending.Unlock()
	l.keepSession()
	l.wire.stop()
}

// Shutdown implements secured.Link: the stream ends without close_notify, and the session is kept.
func (l *link) Shutdown() error {
	l.wire.stop()
	l.keepSession()
	return nil
}

// keepSession stores the newest session: with TLS 1.3 it comes with the first data.
func (l *link) keepSession() {
	if l.cache != nil {
		l.cache.store()
	}
}
