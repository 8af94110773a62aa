package coap

import (
	"errors"
	"fmt"
	"time"
)

// Params are the transmission parameters towards one peer (RFC 7252 §4.8). The zero value means
// the defaults of the RFC.
type Params struct {
	// AckTimeout is the minimum time before the first retransmission. The zero value means 2 s.
	AckTimeout time.Duration
	// AckRandomFactor, at least 1, bounds the random factor of the first time-out. The zero
	// value means 1.5.
	AckRandomFactor float64
	// MaxRetransmit is the number of retransmissions, up to 20; -1 means none. The zero value
	// means 4.
	MaxRetransmit int
	// NStart is the number of outstanding interactions with the peer (RFC 7252 §4.7). Further
	// messages wait for their turn, in the order of their [Priority]. The zero value means 1.
	NStart int
	// ProbingRate is how many bytes a second may be sent to a peer that does not answer: a
	// non-confirmable request counts as outstanding for its size divided by it, or until it is
	// answered. The zero value means 1 byte a second.
	ProbingRate int
	// MaxLatency is the longest time a datagram is in transit (RFC 7252 §4.8.2). The zero value
	// means 100 s.
	MaxLatency time.Duration
	// AckDelay is how long a confirmable request may stay unanswered before it is acknowledged
	// and answered separately. A negative value means no delay. The zero value means an eighth
	// of AckTimeout.
	AckDelay time.Duration
	// ExchangeTimeout is how long a block-wise transfer may be idle before its state is
	// dropped. The zero value means EXCHANGE_LIFETIME (RFC 7959 §2.4).
	ExchangeTimeout time.Duration
	// ResponseTimeout is how long to wait for the response after a request was acknowledged, or
	// after it was sent if it is never acknowledged. The zero value means EXCHANGE_LIFETIME.
	ResponseTimeout time.Duration
}

// withDefaults fills in the defaults.
func (p Params) withDefaults() Params {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&p.AckTimeout, 2*time.Second)
	if p.AckRandomFactor == 0 {
		p.AckRandomFactor = 1.5
	}
	switch p.MaxRetransmit {
	case 0:
		p.MaxRetransmit = 4
	case -1:
		p.MaxRetransmit = 0
	}
	if p.NStart == 0 {
		p.NStart = 1
	}
	if p.ProbingRate == 0 {
		p.ProbingRate = 1
	}
	def(&p.MaxLatency, 100*time.Second)
	def(&p.AckDelay, p.AckTimeout/8)
	lifetime := p.span() + 2*p.MaxLatency + p.AckTimeout
	def(&p.ExchangeTimeout, lifetime)
	def(&p.ResponseTimeout, lifetime)
	return p
}

// Validate reports every field that is out of its range.
func (p Params) Validate() error {
	var faults []error
	fault := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf("transmission parameters: "+format, args...))
		}
	}
	fault(p.AckTimeout < 0, "AckTimeout is %v, it must not be negative", p.AckTimeout)
	fault(p.AckTimeout > 24*time.Hour, "AckTimeout is %v, it must be at most 24 h", p.AckTimeout)
	fault(p.AckRandomFactor != 0 && !(p.AckRandomFactor >= 1 && p.AckRandomFactor <= 100),
		"AckRandomFactor is %v, it must be from 1 to 100", p.AckRandomFactor)
	fault(p.MaxRetransmit < -1 || p.MaxRetransmit > 20, "MaxRetransmit is %d, it must be from -1 to 20", p.MaxRetransmit)
	fault(p.NStart < 0, "NStart is %d, it must not be negative", p.NStart)
	fault(p.ProbingRate < 0, "ProbingRate is %d, it must not be negative", p.ProbingRate)
	fault(p.MaxLatency < 0, "MaxLatency is %v, it must not be negative", p.MaxLatency)
	fault(p.ExchangeTimeout < 0, "ExchangeTimeout is %v, it must not be negative", p.ExchangeTimeout)
	fault(p.ResponseTimeout < 0, "ResponseTimeout is %v, it must not be negative", p.ResponseTimeout)
	return errors.Join(faults...)
}

// span is MAX_TRANSMIT_SPAN of parameters without defaults.
func (p Params) span() time.Duration {
	return time.Duration(float64(p.AckTimeout) * float64(int64(1)<<p.MaxRetransmit-1) * p.AckRandomFactor)
}

// MaxTransmitWait is the longest time from the first transmission of a confirmable message until it
// fails (RFC 7252 §4.8.2).
func (p Params) MaxTransmitWait() time.Duration {
	return p.withDefaults().wait()
}

// wait is MAX_TRANSMIT_WAIT of parameters without defaults.
func (p Params) wait() time.Duration {
	return time.Duration(float64(p.AckTimeout) * float64(int64(2)<<p.MaxRetransmit-1) * p.AckRandomFactor)
}

// ExchangeLifetime is how long a message ID must not be used again (RFC 7252 §4.8.2).
func (p Params) ExchangeLifetime() time.Duration {
	p = p.withDefaults()
	return p.span() + 2*p.MaxLatency + p.AckTimeout
}

// nonLifetime is how long the message ID of a non-confirmable message must not be used again
// (RFC 7252 §4.8.2).
func (p Params) nonLifetime() time.Duration {
	p = p.withDefaults()
	return p.span() + p.MaxLatency
}
