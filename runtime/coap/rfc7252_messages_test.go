package coap

import (
	"testing"
	"testing/synctest"
	"time"
)

// A rule is one requirement of an RFC: the test's name is its section.
type rule struct {
	section string
	test    func(t *testing.T)
}

func check(t *testing.T, rules []rule) {
	for _, r := range rules {
		t.Run(r.section, func(t *testing.T) { synctest.Test(t, r.test) })
	}
}

var tok = []byte{0xca, 0xfe}

func request(kind Type, code Code, mid uint16, path string) Message {
	var o Options
	o.AddPath(path)
	return Message{Type: kind, Code: code, MessageID: mid, Token: tok, Options: o}
}

func TestRFC7252Messages(t *testing.T) {
	malformed := func(wire string, rst bool) func(*testing.T) {
		return func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			if err := b.putBytes(unhex(t, wire)); err != nil {
				t.Fatal(err)
			}
			if rst {
				b.expect(Message{Type: Reset, MessageID: 0x1234})
			}
			b.silent()
			if b.h.calls != 0 || b.c.Stats().Malformed != 1 {
				t.Errorf("%d calls, %d malformed", b.h.calls, b.c.Stats().Malformed)
			}
			b.clean()
		}
	}
	check(t, []rule{
		{"3/unknown version is ignored", malformed("80 01 1234", false)},
		{"3/short datagram is ignored", malformed("40 01 12", false)},
		{"3/reserved token length is a format error", malformed("4f 01 1234", true)},
		{"3/token length 9 is a format error", malformed("49 01 1234 010203040506070809", true)},
		{"3/empty payload is a format error", malformed("40 01 1234 ff", true)},
		{"3.1/option delta 15 is a format error", malformed("40 01 1234 f1 00", true)},
		{"3.1/option length 15 is a format error", malformed("40 01 1234 1f 00", true)},
		{"4.1/Empty message with a token is a format error", malformed("41 00 1234 00", true)},
		{"4.1/Empty message with a payload is a format error", malformed("40 00 1234 ff 00", true)},
		{"4.2/reserved class 1 is rejected", malformed("40 21 1234", true)},
		{"4.2/reserved class 6 is rejected", malformed("40 c1 1234", true)},
		{"4.2/reserved class 7 is rejected", malformed("40 e1 1234", true)},
		{"4.2/malformed ACK is ignored", malformed("6f 45 1234", false)},
		{"4.2/malformed RST is ignored", malformed("70 21 1234", false)},
		{"4.3/malformed NON is ignored", malformed("50 21 1234", false)},
		{"4.2/ACK and RST echo the message ID", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("x")
			b.put(request(Confirmable, GET, 0xbeef, "/a"))
			b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: 0xbeef, Token: tok})
			b.put(Message{Type: Confirmable, MessageID: 0xf00d})
			b.expect(Message{Type: Reset, MessageID: 0xf00d})
		}},
		{"4.3/ping is answered by RST", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(Message{Type: Confirmable, MessageID: 7})
			b.expect(Message{Type: Reset, MessageID: 7})
			b.silent()
		}},
		{"4.3/Empty NON is ignored", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(Message{Type: NonConfirmable, MessageID: 7})
			b.silent()
		}},
		{"4.3/NON is not acknowledged", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = func(r *Request) {}
			b.put(request(NonConfirmable, GET, 7, "/a"))
			b.sleep(time.Minute)
			b.silent()
		}},
		{"4.2/request in an ACK is ignored", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(request(Acknowledgement, GET, 7, "/a"))
			b.put(request(Reset, GET, 8, "/a"))
			b.silent()
			if b.h.calls != 0 {
				t.Error("it was served")
			}
		}},
		{"4.2/unknown ACK and RST are ignored", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.put(Message{Type: Acknowledgement, MessageID: 7})
			b.put(Message{Type: Reset, MessageID: 7})
			b.put(Message{Type: Acknowledgement, Code: Content, MessageID: 7, Token: tok})
			b.silent()
			if n := b.c.Stats().Ignored; n != 3 {
				t.Errorf("%d ignored, want 3", n)
			}
		}},
	})
}
