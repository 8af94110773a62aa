package link

import "github.com/lwm2mgen/toolkit/runtime/sched"

// receiver is what a connection knows about the receiver of the device (queue mode).
type receiver struct {
	watched bool       // last is kept up to date
	off     bool       // ReceiverOff was called, and no message has passed since
	last    sched.Time // when the last message was sent or received
}

// WatchMessages has the connection note when messages pass, from now on: see LastMessage. Without
// it no clock is read for a message.
func (l *Link) WatchMessages() {
	if s := l.socket; s != nil && !s.receiver.watched {
		s.receiver.watched, s.receiver.last = true, s.group.sched.Now()
	}
}

// LastMessage returns when the last message of the connection was sent or received: of CoAP, or a
// piece of a stream. It is meaningless without a connection and before WatchMessages.
func (l *Link) LastMessage() sched.Time {
	if l.socket == nil {
		return 0
	}
	return l.socket.receiver.last
}

// ReceiverOff tells the network that nothing is expected until the next message is sent.
func (l *Link) ReceiverOff() {
	s := l.socket
	if s == nil {
		return
	}
	s.receiver.off = true
	if s.able.ReceiverOff != nil {
		s.able.ReceiverOff.ReceiverOff()
	}
}

// onMessage notes that a message has passed.
func (s *Socket) onMessage() {
	r := &s.receiver
	if !r.watched && !r.off {
		return
	}
	r.last = s.group.sched.Now()
	if r.off {
		r.off = false
		s.group.sched.Post(func() {
			if s.link.socket == s {
				s.link.owner.OnReceiverOn()
			}
		})
	}
}
