package coap

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"
)

// cancels records the ends of observations.
type cancels struct{ why []ObserveEnd }

func (c *cancels) Cancelled(_ *Observation, why ObserveEnd) { c.why = append(c.why, why) }

func register(kind Type, mid uint16, token string) Message {
	m := request(kind, GET, mid, "/3303/0/5700")
	m.Token = []byte(token)
	m.Options.AddUint(OptionObserve, ObserveRegister)
	return m
}

// observe begins an observation of the test.
func (b *bench) observe(mid uint16, token string, ends *cancels) *Observation {
	b.t.Helper()
	var o *Observation
	b.h.serve = func(r *Request) {
		if v, ok := r.Observe(); !ok || v != ObserveRegister {
			b.t.Errorf("Observe %d, %v", v, ok)
		}
		resp := r.Response()
		resp.Code = Content
		resp.Body = append(resp.Body, "first"...)
		var err error
		if o, err = r.RespondObserve(resp, ends); err != nil {
			b.t.Error(err)
		}
	}
	b.put(register(Confirmable, mid, token))
	m := b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: mid, Token: []byte(token), Payload: []byte("first")})
	if _, ok := m.Options.Observe(); !ok {
		b.t.Error("the response has no Observe option")
	}
	return o
}

func note(body string, con bool, done func(error)) *Notification {
	n := &Notification{Confirmable: con, Done: done}
	n.Code, n.Body = Content, []byte(body)
	return n
}

func sequenceOf(t *testing.T, m Message) uint32 {
	t.Helper()
	v, ok := m.Options.Observe()
	if !ok {
		t.Fatal("a notification without Observe")
	}
	return v
}

// unlimited is the time after which a non-confirmable notification is sent at once although the
// round-trip time is not known (RFC 7641 §4.5.1).
const unlimited = 3 * time.Second

func TestRFC7641Server(t *testing.T) {
	check(t, []rule{
		{"3.5/notification is acknowledged", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			o := b.observe(1, "tk", ends)
			var results []error
			done := func(err error) { results = append(results, err) }
			if err := o.Notify(note("one", true, done)); err != nil {
				t.Fatal(err)
			}
			m := b.expect(Message{Type: Confirmable, Code: Content, Token: []byte("tk"), Payload: []byte("one")})
			if len(results) != 0 {
				t.Error("delivered before it was acknowledged")
			}
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			if err := o.Notify(note("two", false, done)); err != nil {
				t.Fatal(err)
			}
			n := b.expect(Message{Type: NonConfirmable, Code: Content, Token: []byte("tk"), Payload: []byte("two")})
			if !slices.Equal(results, []error{nil, nil}) {
				t.Errorf("results %v", results)
			}
			if sequenceOf(t, n) <= sequenceOf(t, m) {
				t.Error("the sequence does not grow")
			}
			o.Cancel()
			wantErr(t, o.Notify(note("three", false, done)), ErrCancelled)
			if len(ends.why) != 0 || !o.Ended() {
				t.Error("the observer was told of its own end")
			}
			b.clean()
		}},
		{"3.6/reset of a confirmable notification ends the observation", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			o := b.observe(1, "tk", ends)
			var results []error
			for range 2 {
				o.Notify(note("x", true, func(err error) { results = append(results, err) }))
			}
			m := b.take()
			b.put(Message{Type: Reset, MessageID: m.MessageID})
			if len(results) != 2 || !errors.Is(results[0], ErrReset) || !errors.Is(results[1], ErrCancelled) {
				t.Errorf("results %v", results)
			}
			if !slices.Equal(ends.why, []ObserveEnd{ObserveReset}) {
				t.Errorf("ends %v", ends.why)
			}
			b.silent()
			b.clean()
		}},
		{"3.6/reset of a non-confirmable notification ends the observation", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			o := b.observe(1, "tk", ends)
			o.Notify(note("x", false, nil))
			first := b.take()
			b.sleep(unlimited)
			o.Notify(note("y", false, nil))
			b.take()
			b.put(Message{Type: Reset, MessageID: first.MessageID})
			if !slices.Equal(ends.why, []ObserveEnd{ObserveReset}) {
				t.Errorf("ends %v", ends.why)
			}
			b.clean()
		}},
		{"3.6/GET with Observe 1 ends the observation", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			b.observe(1, "tk", ends)
			m := register(Confirmable, 2, "tk")
			m.Options.SetUint(OptionObserve, ObserveDeregister)
			b.h.serve = content("plain")
			b.put(m)
			got := b.expect(Message{Type: Acknowledgement, Code: Content, MessageID: 2, Payload: []byte("plain")})
			if got.Options.Has(OptionObserve) {
				t.Error("the response has an Observe option")
			}
			m.MessageID, m.Token = 3, []byte("other")
			b.put(m)
			b.take()
			if !slices.Equal(ends.why, []ObserveEnd{ObserveDeregistered}) {
				t.Errorf("ends %v", ends.why)
			}
			b.clean()
		}},
		{"4.1/same token replaces the observation", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			old := b.observe(1, "tk", ends)
			old.Notify(note("x", false, nil))
			before := sequenceOf(t, b.take())
			b.sleep(unlimited)
			o := b.observe(2, "tk", ends)
			if !old.Ended() || o.Ended() || !slices.Equal(ends.why, []ObserveEnd{ObserveReplaced}) {
				t.Errorf("ends %v", ends.why)
			}
			o.Notify(note("y", false, nil))
			if after := sequenceOf(t, b.take()); after <= before {
				t.Errorf("sequence %d after %d: the token was used again", after, before)
			}
			if b.c.observations.n != 1 {
				t.Errorf("%d observations", b.c.observations.n)
			}
		}},
		{"4.1/error begins no observation", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			b.h.serve = func(r *Request) {
				o, err := r.RespondObserve(&Response{Code: NotFound}, ends)
				if o != nil || err != nil {
					t.Error(o, err)
				}
			}
			b.put(register(Confirmable, 1, "tk"))
			m := b.expect(Message{Type: Acknowledgement, Code: NotFound, MessageID: 1})
			if m.Options.Has(OptionObserve) || b.c.observations.n != 0 {
				t.Error("an error is observed")
			}
			b.h.serve = func(r *Request) {
				_, err := r.RespondObserve(&Response{Code: Content}, ends)
				wantErr(t, err, ErrUsage)
				content("")(r)
			}
			b.put(request(Confirmable, GET, 2, "/a"))
			b.take()
			b.clean()
		}},
		{"4.2/error ends the observation", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			o := b.observe(1, "tk", ends)
			gone := note("", true, nil)
			gone.Code = NotFound
			o.Notify(gone)
			m := b.expect(Message{Type: Confirmable, Code: NotFound, Token: []byte("tk")})
			if m.Options.Has(OptionObserve) {
				t.Error("an error has an Observe option (RFC 7641 §4.2)")
			}
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			wantErr(t, o.Notify(note("x", false, nil)), ErrCancelled)
			if len(ends.why) != 0 {
				t.Errorf("ends %v", ends.why)
			}
			bad := note("", false, nil)
			bad.Code = GET
			o = b.observe(2, "tk", ends)
			wantErr(t, o.Notify(bad), ErrUsage)
			b.clean()
		}},
		{"4.4/sequence is 24 bits and wraps around", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			o := b.observe(1, "tk", ends)
			b.c.observations.sequence = 1<<24 - 2
			for _, want := range []uint32{1<<24 - 1, 0, 1} {
				b.sleep(unlimited)
				o.Notify(note("x", false, nil))
				if got := sequenceOf(t, b.take()); got != want {
					t.Errorf("sequence %d, want %d", got, want)
				}
			}
		}},
		{"4.5/notification that is not acknowledged ends the observation", func(t *testing.T) {
			for _, keep := range []bool{false, true} {
				b, ends := newBench(t, ConnConfig{KeepOnTimeout: keep}), &cancels{}
				o := b.observe(1, "tk", ends)
				var result error
				o.Notify(note("x", true, func(err error) { result = err }))
				b.sleep(93 * time.Second)
				wantErr(t, result, ErrTimeout)
				if keep != (len(ends.why) == 0) || keep == o.Ended() {
					t.Errorf("keep %v: ends %v", keep, ends.why)
				}
				b.clean()
			}
		}},
		{"4.5/one notification in 24 hours is confirmable", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			o := b.observe(1, "tk", ends)
			kinds := map[Type]int{}
			for hour := range 72 {
				b.sleep(time.Hour)
				o.Notify(note("x", false, nil))
				m := b.take()
				kinds[m.Type]++
				if m.Type == Confirmable {
					if (hour+1)%24 != 0 {
						t.Errorf("confirmable after %d hours", hour+1)
					}
					b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
				}
			}
			if kinds[Confirmable] != 3 || len(ends.why) != 0 {
				t.Errorf("%v", kinds)
			}
		}},
		{"4.5.2/newer notification replaces one that waits", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			o := b.observe(1, "tk", ends)
			var results []string
			for i := range 4 {
				n := note(fmt.Sprint(i), true, func(err error) { results = append(results, fmt.Sprint(i, " ", err)) })
				n.Replace = true
				o.Notify(n)
			}
			m := b.expect(Message{Type: Confirmable, Code: Content, Payload: []byte("0")})
			b.silent()
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			m = b.expect(Message{Type: Confirmable, Code: Content, Payload: []byte("3")})
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			want := []string{"1 " + ErrSuperseded.Error(), "2 " + ErrSuperseded.Error(), "0 <nil>", "3 <nil>"}
			if !slices.Equal(results, want) {
				t.Errorf("results %q", results)
			}
			b.clean()
		}},
		{"none/notifications wait for their turn and end with the connection", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{MaxQueue: 3}), &cancels{}
			o := b.observe(1, "tk", ends)
			n := 0
			for range 4 {
				if err := o.Notify(note("x", true, func(err error) { wantErr(t, err, ErrClosed); n++ })); err != nil {
					t.Fatal(err)
				}
			}
			wantErr(t, o.Notify(note("x", true, func(error) { t.Error("a result of what was refused") })), ErrBusy)
			b.c.Close(nil)
			if n != 4 || !slices.Equal(ends.why, []ObserveEnd{ObserveClosed}) {
				t.Errorf("%d results, ends %v", n, ends.why)
			}
			b.clean()
		}},
		{"RFC7959-3.4/notification in blocks", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{BlockSize: 64}), &cancels{}
			o := b.observe(1, "tk", ends)
			src := newSource(pattern(100))
			n := &Notification{}
			n.Code, n.Source, n.SourceSize = Content, src, 100
			if err := o.Notify(n); err != nil {
				t.Fatal(err)
			}
			m := b.expect(Message{Type: NonConfirmable, Code: Content, Payload: pattern(64), Options: block(OptionBlock2, 0, true, 2)})
			sequenceOf(t, m)
			tag, _ := m.Options.ETag()
			next := request(Confirmable, GET, 2, "/3303/0/5700")
			next.Options.SetBlock(OptionBlock2, Block{Num: 1, SZX: 2})
			b.put(next)
			m = b.expect(Message{Type: Acknowledgement, Code: Content, Payload: pattern(100)[64:], Options: block(OptionBlock2, 1, false, 2)})
			if v, _ := m.Options.ETag(); !bytes.Equal(v, tag) || m.Options.Has(OptionObserve) || src.closed != 1 {
				t.Errorf("ETag %x and %x, closed %d times", tag, v, src.closed)
			}
			b.clean()
		}},
	})
}
