package coap

import (
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// newShared is what a part needs to be tested without a connection. What it writes goes to w.
func newShared(t *testing.T, cfg ConnConfig) (s *shared, w *wire) {
	t.Helper()
	w = &wire{mtu: 1232, kind: socket.Datagram}
	cfg.Socket = w
	cfg, err := cfg.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	s = &shared{e: newEndpoint(t, 1), cfg: cfg, sizes: newBlockSizes(&cfg, nil), pace: newPace()}
	s.setParams(cfg.Params)
	return s, w
}

// A recorder is a carrier that records what it is given.
type recorder struct {
	queued    []Message // of queue, with their priorities
	how       []sending
	once      []Message
	responses []Message
	acked     int
	s         *shared // whose notifications are recorded
	err       error
}

func copyOf(m *Message) Message {
	c := *m
	c.Token, c.Payload = append([]byte(nil), m.Token...), append([]byte(nil), m.Payload...)
	c.Options = m.Options.Clone()
	return c
}

func (c *recorder) queue(_ sender, m *Message, how sending) (*transmission, error) {
	if c.err == nil {
		c.queued, c.how = append(c.queued, copyOf(m)), append(c.how, how)
	}
	return nil, c.err
}

func (c *recorder) sendOnce(m *Message, _ protector) (uint16, error) {
	c.once = append(c.once, copyOf(m))
	return uint16(len(c.once)), c.err
}

func (c *recorder) respond(_ *Request, m *Message, _ bool) error {
	c.responses = append(c.responses, copyOf(m))
	return c.err
}

func (c *recorder) acknowledge(*Request)   { c.acked++ }
func (c *recorder) forget(*Request)        {}
func (c *recorder) rejectRequest(*Request) {}
func (c *recorder) ping(func(error)) error { return c.err }

func (c *recorder) pump() {
	for d, ok := c.s.notices.first(); ok; d, ok = c.s.notices.first() {
		m, t, err := d.compose()
		if err == nil {
			c.once = append(c.once, copyOf(m))
			err = c.err
		}
		d.finishCompose(t, err)
		if err != nil {
			d.fail(err)
			continue
		}
		d.o.noteNon(uint16(len(c.once)))
		d.settle(nil)
	}
}

// An owner records what becomes of a transmission.
type owner struct {
	outcomes []error // nil: acknowledged
	over     int
}

func (o *owner) onEnd()           { o.over++ }
func (o *owner) onAck()           { o.outcomes = append(o.outcomes, nil) }
func (o *owner) onFail(err error) { o.outcomes = append(o.outcomes, err) }
