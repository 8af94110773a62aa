package dtls

// ForgetSessions drops all connections and handshakes of the listener, and the sessions that it
// keeps for resumption, without informing the clients: what happens when the process of a server
// is killed and started again. Records of a forgotten connection are not answered; a ClientHello
// begins a full handshake, at a known address, too (RFC 6347 §4.2.8).
func (l *listener) ForgetSessions() {
	if m, ok := l.params.sessions.(*sessionMemory); ok {
		m.clear()
	}
	known := map[*serverSocket]bool{}
	l.mu.Lock()
	paths := make([]*path, 0, len(l.paths))
	for p := range l.paths {
		paths = append(paths, p)
	}
	for _, s := range l.byCID { // also those that have no path now
		known[s] = true
	}
	l.mu.Unlock()
	for _, p := range paths {
		p.mu.Lock()
		p.endAttempts(p.attempts)
		if p.current != nil {
			known[p.current] = true
		}
		p.expire(linger)
		p.mu.Unlock()
	}
	for s := range known {
		_ = s.Close() // nothing can be sent from here on, not even a close_notify
	}
}
