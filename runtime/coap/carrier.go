package coap

// A carrier sends the messages of the exchange layer to the peer, and hands what arrives to a
// [receiver]. There are two: [datagrams] for RFC 7252 and [stream] for RFC 8323.
type carrier interface {
	// queue sends m, a request or a message that must be acknowledged, when it is its turn.
	// It encodes m at once and does not keep it. The owner learns what becomes of it, not
	// before queue has returned. A stream sends m at once and returns no transmission:
	// nothing on it is acknowledged.
	queue(owner sender, m *Message, how sending) (*transmission, error)
	// sendOnce sends m without asking for an acknowledgement and returns its message ID.
	sendOnce(m *Message, protect protector) (mid uint16, err error)
	// respond sends the response m to r.
	respond(r *Request, m *Message, nonConfirmable bool) error
	// acknowledge tells the peer that r has arrived and that its response takes time.
	acknowledge(r *Request)
	// forget makes the next transmission of r count as a new request.
	forget(r *Request)
	// rejectRequest answers r, which is not acknowledged, by a reset.
	rejectRequest(r *Request)
	// ping asks the peer for a sign of life.
	ping(done func(error)) error
	// pump sends queued messages as far as NSTART allows.
	pump()
}

// A receiver takes what a carrier has received: each request and each response once.
type receiver interface {
	// handleRequest handles a request.
	handleRequest(m *Message, env envelope)
	// findRequester is the own request that waits for responses with this token, or nil.
	findRequester(token []byte) requester
	// handleReset handles the reset of a message that no transmission waits for. It reports whether
	// the message was a notification.
	handleReset(mid uint16) bool
	// handleSettings is told that the peer of a stream has announced its settings.
	handleSettings()
	// acknowledgePending acknowledges the request with this message ID if it waits for its
	// response: the peer has repeated it.
	acknowledgePending(mid uint16)
}

// A requester is a request of this endpoint that waits for responses.
type requester interface {
	hasToken(token []byte) bool
	// admit unprotects a response and checks its critical options.
	admit(m *Message) error
	// isCrossing reports whether a response in a message of its own is a notification that
	// crossed the request to end the observation.
	isCrossing(m *Message) bool
	// complete ends the transmission of the request, because its response has arrived.
	complete()
	// respond handles a response with the error of admit.
	respond(m *Message, err error)
}

// sending says how a message is queued.
type sending struct {
	priority Priority
	protect  protector
}

// An envelope is what the message layer needs to answer a request.
type envelope struct {
	kind    Type
	mid     uint16
	arrival uint32 // its number in the history
	acked   bool   // it has been acknowledged, or needs no acknowledgement
}

// A router hands what a carrier has received to the part of the connection that it is for.
type router struct {
	calls        *calls
	requests     *requests
	observations *observations
}

func (r *router) handleRequest(m *Message, env envelope) { r.requests.receive(m, env) }

func (r *router) findRequester(token []byte) requester {
	if call := r.calls.find(token); call != nil {
		return call
	}
	return nil
}

func (r *router) handleReset(mid uint16) bool { return r.observations.reset(mid) }

func (r *router) handleSettings() { r.calls.sendHeld() }

func (r *router) acknowledgePending(mid uint16) { r.requests.acknowledge(mid) }
