package coap

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// A sealLayer encrypts code, options and payload by XOR with a key stream and adds a tag, in the
// shape of OSCORE: an outer POST or 2.04, an OSCORE option, and outer Observe.
type sealLayer struct {
	name     byte // of this end; the peer has another one
	peer     byte
	sequence uint32
	accepted map[uint32]bool // sequence numbers of the peer's requests
	buf      []byte

	protected, unprotected int   // calls
	fail                   error // of Protect
	refuse                 error // of Unprotect, instead of those below
}

// sealBinding is the sequence number of a request, which is part of the tag of its responses.
type sealBinding struct {
	l       *sealLayer
	request uint32
}

// sealOverhead is the sequence number, the tag, the header of the inner message, the options and
// the payload marker.
const sealOverhead = 4 + 8 + 4 + 6 + 1

func newSealLayers() (a, b *sealLayer) {
	return &sealLayer{name: 'a', peer: 'b', accepted: map[uint32]bool{}},
		&sealLayer{name: 'b', peer: 'a', accepted: map[uint32]bool{}}
}

func (l *sealLayer) Overhead() int { return sealOverhead }

func (l *sealLayer) Protect(m *Message) (Binding, error) {
	seq, err := l.seal(m, POST, 0)
	if err != nil {
		return nil, err
	}
	return sealBinding{l, seq}, nil
}

func (l *sealLayer) Unprotect(m *Message) (Binding, error) {
	l.unprotected++
	if l.refuse != nil {
		return nil, l.refuse
	}
	if !m.Options.Has(OptionOSCORE) {
		return nil, &Error{Code: Unauthorized}
	}
	seq, ok := l.open(m, 0)
	switch {
	case !ok:
		return nil, &Error{Code: BadRequest}
	case l.accepted[seq]:
		return nil, &Error{Code: Unauthorized}
	}
	l.accepted[seq] = true
	return sealBinding{l, seq}, nil
}

func (b sealBinding) Protect(m *Message) error {
	_, err := b.l.seal(m, Changed, b.request)
	return err
}

func (b sealBinding) Unprotect(m *Message) error {
	b.l.unprotected++
	if _, ok := b.l.open(m, b.request); !ok {
		return errors.New("wrong tag")
	}
	return nil
}

// seal replaces the message by its protected form.
func (l *sealLayer) seal(m *Message, outer Code, bound uint32) (seq uint32, err error) {
	l.protected++
	if l.fail != nil {
		return 0, l.fail
	}
	l.sequence++
	inner := Message{Code: m.Code, Options: m.Options, Payload: m.Payload}
	plain, err := inner.AppendUDP(nil)
	if err != nil {
		return 0, err
	}
	out := binary.BigEndian.AppendUint32(l.buf[:0], l.sequence)
	out = append(out, tag(l.name, l.sequence, bound, plain)...)
	out = append(out, xor(l.name, l.sequence, plain)...)
	l.buf = out
	observe, observes := m.Options.Observe()
	m.Code, m.Options, m.Payload = outer, Options{}, out
	m.Options.Add(OptionOSCORE, nil)
	if observes {
		m.Options.SetUint(OptionObserve, observe)
	}
	return l.sequence, nil
}

// open verifies and decrypts in place.
func (l *sealLayer) open(m *Message, bound uint32) (seq uint32, ok bool) {
	if len(m.Payload) < 16 || !m.Options.Has(OptionOSCORE) {
		return 0, false
	}
	seq = binary.BigEndian.Uint32(m.Payload)
	plain := m.Payload[12:]
	copy(plain, xor(l.peer, seq, plain))
	if !bytes.Equal(tag(l.peer, seq, bound, plain), m.Payload[4:12]) {
		return 0, false
	}
	var inner Message
	if inner.ParseUDP(plain) != nil {
		return 0, false
	}
	m.Code, m.Options, m.Payload = inner.Code, inner.Options, inner.Payload
	return seq, true
}

func tag(sender byte, seq, bound uint32, plain []byte) []byte {
	h := sha256.New()
	h.Write([]byte{'t', sender})
	h.Write(binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint32(nil, seq), bound))
	h.Write(plain)
	return h.Sum(nil)[:8]
}

func xor(sender byte, seq uint32, b []byte) []byte {
	out := make([]byte, len(b))
	var stream [32]byte
	for i := range b {
		if i%32 == 0 {
			stream = sha256.Sum256(binary.BigEndian.AppendUint64([]byte{'s', sender}, uint64(seq)<<32|uint64(i)))
		}
		out[i] = b[i] ^ stream[i%32]
	}
	return out
}

// secret is a recognizable body of n bytes.
func secret(n int) []byte {
	return bytes.Repeat([]byte("secret body! "), n/13+1)[:n]
}

// A sealedDuo is two connections with a layer each. It checks every message on the wire.
type sealedDuo struct {
	duo
	la, lb *sealLayer
	wire   [][]byte // all messages, in order
}

func newSealedDuo(t *testing.T, kind socket.Kind, cfg ConnConfig) *sealedDuo {
	t.Helper()
	d := &sealedDuo{}
	d.la, d.lb = newSealLayers()
	d.duo = duo{
		a: &bench{t: t, w: &wire{mtu: 1232, kind: kind}, e: newEndpoint(t, 1), h: &script{}},
		b: &bench{t: t, w: &wire{mtu: 1232, kind: kind}, e: newEndpoint(t, 2), h: &script{}},
	}
	d.b.e.sched = d.a.e.sched
	for _, side := range []*bench{d.a, d.b} {
		side.s = d.a.e.sched
		side.w.tap = func(p []byte) {
			d.wire = append(d.wire, bytes.Clone(p))
			if bytes.Contains(p, []byte("secret")) {
				t.Errorf("plaintext on the wire: %q", p)
			}
			if kind == socket.Datagram && len(p) > side.w.mtu {
				t.Errorf("a datagram of %d bytes, the MTU is %d", len(p), side.w.mtu)
			}
		}
	}
	d.a.w.peer, d.b.w.peer = d.b.w, d.a.w
	cfg.Layer = d.la
	d.a.start(cfg)
	cfg.Layer = d.lb
	d.b.start(cfg)
	d.run()
	d.wire = nil
	return d
}

// secretAnswer answers with a secret option and a secret body of n bytes.
func secretAnswer(r *Request, n int) {
	resp := r.Response()
	resp.Code = Content
	resp.Options.AddString(OptionLocationPath, "secretlocation")
	resp.Body = append(resp.Body, secret(n)...)
	_ = r.Respond(resp)
}

func (d *sealedDuo) call(code Code, o *outcome) *Call {
	call := &Call{Code: code, Done: o.add}
	call.Options.AddPath("/secretpath/0")
	call.Options.AddQuery("secretquery")
	return call
}

func (d *sealedDuo) do(call *Call) {
	d.a.t.Helper()
	if err := d.a.c.Do(call); err != nil {
		d.a.t.Fatal(err)
	}
	d.run()
}

// expect checks the one result of a call: 2.05 with a secret body of n bytes.
func (d *sealedDuo) expect(o *outcome, n int) {
	t := d.a.t
	t.Helper()
	r := o.onlyResult(t)
	if r.Err != nil || r.Code != Content || o.bodies[0] != string(secret(n)) {
		t.Fatalf("%v %v, %d bytes; want 2.05 and %d", r.Err, r.Code, len(o.bodies[0]), n)
	}
	if v, _ := o.options[0].Get(OptionLocationPath); string(v) != "secretlocation" {
		t.Errorf("option %q", v)
	}
	d.a.clean()
	d.b.clean()
}

// bytesSource is a source of bytes.
type bytesSource struct{ *bytes.Reader }

func (bytesSource) Close() error { return nil }

// sinkOf keeps what it receives.
type sinkOf struct{ got []byte }

func (s *sinkOf) Write(p []byte) (int, error) { s.got = append(s.got, p...); return len(p), nil }
func (s *sinkOf) Abort(error)                 {}
