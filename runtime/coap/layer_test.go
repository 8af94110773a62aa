package coap

import (
	"bytes"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

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
		n := &Notification{Confirmable: i%2 == 0, Done: func(err error) {
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

// TestLayerWithoutBinding: a layer that returns no bindings leaves responses as they are.
func TestLayerWithoutBinding(t *testing.T) {
	for _, kind := range []socket.Kind{socket.Datagram, socket.Stream} {
		d := newDuo(t, kind, ConnConfig{Layer: heavyLayer(10)})
		d.run()
		d.b.h.serve = content("plain")
		_, o := d.a.get("/x")
		d.run()
		if r := o.onlyResult(t); r.Err != nil || o.bodies[0] != "plain" {
			t.Errorf("%v: %v %q", kind, r.Err, o.bodies[0])
		}
	}
}
