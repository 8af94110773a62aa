package coap

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"testing"
	"testing/synctest"
	"time"

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

func TestLayer(t *testing.T) {
	for _, kind := range []socket.Kind{socket.Datagram, socket.Stream} {
		each := func(name string, f func(*testing.T, *sealedDuo)) {
			t.Run(kind.String()+"/"+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					f(t, newSealedDuo(t, kind, ConnConfig{MaxBody: 1 << 20}))
				})
			})
		}
		each("request and response", func(t *testing.T, d *sealedDuo) {
			d.b.h.serve = func(r *Request) {
				if p := string(r.Options().AppendPath(nil)); p != "/secretpath/0" || r.Code() != GET {
					t.Errorf("%v %s", r.Code(), p)
				}
				secretAnswer(r, 100)
			}
			o := &outcome{}
			d.do(d.call(GET, o))
			d.expect(o, 100)
		})
		each("separate response", func(t *testing.T, d *sealedDuo) {
			var later *Request
			d.b.h.serve = func(r *Request) { later = r }
			o := &outcome{}
			d.do(d.call(GET, o))
			d.a.sleep(time.Second) // the request is acknowledged
			d.run()
			if len(o.results) != 0 {
				t.Fatal("an outcome before the response")
			}
			secretAnswer(later, 100)
			d.run()
			d.expect(o, 100)
		})
		each("non-confirmable", func(t *testing.T, d *sealedDuo) {
			d.b.h.serve = func(r *Request) { secretAnswer(r, 10) }
			o := &outcome{}
			call := d.call(GET, o)
			call.NonConfirmable = true
			d.do(call)
			d.expect(o, 10)
		})
		for _, size := range []int{1024, 1025, 5000, 70000} {
			each("blocks of both bodies", func(t *testing.T, d *sealedDuo) {
				d.b.h.serve = func(r *Request) {
					if !bytes.Equal(r.Body(), secret(size)) {
						t.Errorf("the server has %d of %d bytes", len(r.Body()), size)
					}
					secretAnswer(r, size)
				}
				o := &outcome{}
				call := d.call(PUT, o)
				call.Body = secret(size)
				d.do(call)
				d.expect(o, size)
			})
		}
		each("streamed blocks", func(t *testing.T, d *sealedDuo) {
			in, out := &sinkOf{}, &sinkOf{}
			d.b.h.head = func(r *Request) { r.Stream(in) }
			d.b.h.serve = func(r *Request) {
				resp := &Response{Code: Content, Source: bytesSource{bytes.NewReader(secret(300000))}, SourceSize: 300000}
				if err := r.Respond(resp); err != nil {
					t.Error(err)
				}
			}
			o := &outcome{}
			call := d.call(POST, o)
			call.Source, call.SourceSize, call.Sink = bytesSource{bytes.NewReader(secret(200000))}, 200000, out
			d.do(call)
			if r := o.onlyResult(t); r.Err != nil || !bytes.Equal(in.got, secret(200000)) || !bytes.Equal(out.got, secret(300000)) {
				t.Fatalf("%v, %d bytes in, %d bytes out", r.Err, len(in.got), len(out.got))
			}
		})
		each("observation", func(t *testing.T, d *sealedDuo) {
			testSealedObservation(t, d)
		})
		each("Echo", func(t *testing.T, d *sealedDuo) {
			d.b.h.serve = func(r *Request) {
				if v, ok := r.Options().Echo(); ok && string(v) == "secretecho" {
					secretAnswer(r, 10)
					return
				}
				resp := r.Response()
				resp.Code = Unauthorized
				resp.Options.AddString(OptionEcho, "secretecho")
				_ = r.Respond(resp)
			}
			o := &outcome{}
			d.do(d.call(GET, o))
			d.expect(o, 10)
		})
		each("unprotected request is 4.01", func(t *testing.T, d *sealedDuo) {
			d.a.c.cfg.Layer = nil
			o := &outcome{}
			d.do(&Call{Code: GET, Done: o.add})
			age := o.options[0].MaxAge()
			if r := o.onlyResult(t); r.Err != nil || r.Code != Unauthorized || age != 0 || d.b.h.calls != 0 {
				t.Errorf("%v %v, Max-Age %d, served %d times; want 4.01", r.Err, r.Code, age, d.b.h.calls)
			}
			d.b.clean()
		})
		each("refused request is ignored", func(t *testing.T, d *sealedDuo) {
			d.lb.refuse = errors.New("not for us")
			o := &outcome{}
			d.do(d.call(GET, o))
			if len(d.wire) != 1 || d.b.c.Stats().Ignored != 1 || d.b.h.calls != 0 {
				t.Errorf("%d messages, %d ignored, served %d times", len(d.wire), d.b.c.Stats().Ignored, d.b.h.calls)
			}
			d.b.clean()
		})
		each("request that cannot be protected fails", func(t *testing.T, d *sealedDuo) {
			d.la.fail = errors.New("no sequence numbers left")
			o := &outcome{}
			err := d.a.c.Do(d.call(GET, o))
			if kind == socket.Datagram {
				err = o.onlyResult(t).Err // when its turn has come
			}
			wantErr(t, err, d.la.fail)
			if len(d.wire) != 0 {
				t.Errorf("%d messages were sent", len(d.wire))
			}
			d.a.clean()
		})
		each("response that cannot be protected is not sent", func(t *testing.T, d *sealedDuo) {
			d.lb.fail = errors.New("no sequence numbers left")
			d.b.h.serve = func(r *Request) {
				wantErr(t, r.Respond(&Response{Code: Content}), d.lb.fail)
			}
			d.do(d.call(GET, &outcome{}))
			if len(d.wire) != 1 {
				t.Errorf("%d messages were sent", len(d.wire))
			}
			d.b.clean()
		})
		each("pings are not protected", func(t *testing.T, d *sealedDuo) {
			var pong error = ErrTimeout
			if err := d.a.c.Ping(func(err error) { pong = err }); err != nil {
				t.Fatal(err)
			}
			d.run()
			if pong != nil || d.la.protected+d.lb.protected+d.la.unprotected+d.lb.unprotected != 0 {
				t.Errorf("ping: %v; protected %d and %d times", pong, d.la.protected, d.lb.protected)
			}
		})
	}
}

// testSealedObservation begins an observation and sends all kinds of notifications.
func testSealedObservation(t *testing.T, d *sealedDuo) {
	var obs *Observation
	ends := &cancels{}
	d.b.h.serve = func(r *Request) {
		if v, ok := r.Observe(); !ok || v == ObserveDeregister {
			secretAnswer(r, 2000)
			return
		}
		resp := r.Response()
		resp.Code = Content
		resp.Body = append(resp.Body, secret(10)...)
		obs, _ = r.RespondObserve(resp, ends)
	}
	o := &outcome{}
	call := d.call(GET, o)
	call.Observe = o.add
	d.do(call)
	delivered := 0
	for i, size := range []int{20, 30, 2000, 40} {
		n := &Notification{Confirmable: i%2 == 1, Done: func(err error) {
			if err == nil {
				delivered++
			}
		}}
		n.Code, n.Body = Content, secret(size)
		if err := obs.Notify(n); err != nil {
			t.Fatal(err)
		}
		d.run()
		if got := len(o.results); got != i+2 || o.results[i+1].Err != nil || o.bodies[i+1] != string(secret(size)) {
			t.Fatalf("notification %d: %d results, %v, %d bytes", i, got, o.results[got-1].Err, len(o.bodies[got-1]))
		}
	}
	if delivered != 4 {
		t.Errorf("%d of 4 notifications were delivered", delivered)
	}
	bye := &outcome{}
	if err := call.Deregister(bye.add); err != nil {
		t.Fatal(err)
	}
	d.run()
	if r := bye.onlyResult(t); r.Err != nil || r.Code != Content || !obs.Ended() {
		t.Errorf("%v %v, ended %v", r.Err, r.Code, obs.Ended())
	}
	d.a.clean()
	d.b.clean()
}

// TestLayerBelowRetransmission shows that the message layer works on protected bytes.
func TestLayerBelowRetransmission(t *testing.T) {
	start := func(t *testing.T) (*sealedDuo, *outcome) {
		d := newSealedDuo(t, socket.Datagram, ConnConfig{})
		d.b.h.serve = func(r *Request) { secretAnswer(r, 10) }
		o := &outcome{}
		if err := d.a.c.Do(d.call(GET, o)); err != nil {
			t.Fatal(err)
		}
		return d, o
	}
	each := func(name string, f func(*testing.T, *sealedDuo, *outcome)) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				d, o := start(t)
				f(t, d, o)
			})
		})
	}
	each("retransmission repeats the bytes", func(t *testing.T, d *sealedDuo, o *outcome) {
		d.b.w.in = nil // lost
		d.a.sleep(4 * time.Second)
		d.run()
		d.expect(o, 10)
		if !bytes.Equal(d.wire[0], d.wire[1]) || d.la.protected != 1 {
			t.Errorf("sent %x and %x, protected %d times", d.wire[0], d.wire[1], d.la.protected)
		}
	})
	each("repeated request is answered by the same bytes", func(t *testing.T, d *sealedDuo, o *outcome) {
		d.b.w.in = append(d.b.w.in, bytes.Clone(d.b.w.in[0]))
		d.run()
		d.expect(o, 10)
		if len(d.wire) != 3 || !bytes.Equal(d.wire[1], d.wire[2]) || d.b.h.calls != 1 || d.lb.unprotected != 1 {
			t.Errorf("%d messages, served %d times, unprotected %d times", len(d.wire), d.b.h.calls, d.lb.unprotected)
		}
	})
	each("forged request is 4.00", func(t *testing.T, d *sealedDuo, o *outcome) {
		d.b.w.in[0][len(d.b.w.in[0])-1] ^= 1
		d.run()
		var m Message
		if err := m.ParseUDP(d.wire[1]); err != nil || m.Code != BadRequest || m.Type != Acknowledgement {
			t.Errorf("%v %v %v", err, m.Type, m.Code)
		}
		if d.b.h.calls != 0 || len(o.results) != 0 {
			t.Errorf("served %d times, %d outcomes", d.b.h.calls, len(o.results))
		}
	})
	each("forged response does not end the retransmission", func(t *testing.T, d *sealedDuo, o *outcome) {
		if _, err := d.b.c.Receive(1); err != nil {
			t.Fatal(err)
		}
		d.a.w.in[0][len(d.a.w.in[0])-1] ^= 1
		d.run()
		if len(o.results) != 0 || d.a.c.Stats().Ignored != 1 {
			t.Fatalf("%d outcomes, %d ignored", len(o.results), d.a.c.Stats().Ignored)
		}
		d.a.sleep(4 * time.Second)
		d.run()
		d.expect(o, 10)
	})
	each("response is bound to its request", func(t *testing.T, d *sealedDuo, o *outcome) {
		d.run()
		d.expect(o, 10)
		var old, request Message
		if err := old.ParseUDP(d.wire[1]); err != nil {
			t.Fatal(err)
		}
		second := &outcome{}
		if err := d.a.c.Do(d.call(GET, second)); err != nil {
			t.Fatal(err)
		}
		if err := request.ParseUDP(d.wire[2]); err != nil {
			t.Fatal(err)
		}
		old.MessageID, old.Token = request.MessageID, request.Token
		if err := d.a.put(old); err != nil || len(second.results) != 0 {
			t.Fatalf("%v; the response to another request was accepted: %v", err, second.results)
		}
		d.run()
		d.expect(second, 10)
	})
}

// TestLayerAcknowledgesRefusedResponse: a separate response that the layer refuses is acknowledged
// and otherwise ignored.
func TestLayerAcknowledgesRefusedResponse(t *testing.T) {
	la, _ := newSealLayers()
	b := newBench(t, ConnConfig{Layer: la})
	_, o := b.get("/x")
	m := b.take()
	b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
	b.put(Message{Type: Confirmable, Code: Content, MessageID: 7, Token: m.Token, Payload: []byte("forged")})
	b.expect(Message{Type: Acknowledgement, MessageID: 7})
	if len(o.results) != 0 || b.c.Stats().Ignored != 1 {
		t.Errorf("%d outcomes, %d ignored", len(o.results), b.c.Stats().Ignored)
	}
}

// bytesSource is a source of bytes.
type bytesSource struct{ *bytes.Reader }

func (bytesSource) Close() error { return nil }

// sinkOf keeps what it receives.
type sinkOf struct{ got []byte }

func (s *sinkOf) Write(p []byte) (int, error) { s.got = append(s.got, p...); return len(p), nil }
func (s *sinkOf) Abort(error)                 {}
