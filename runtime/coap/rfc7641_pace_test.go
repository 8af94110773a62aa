package coap

import (
	"fmt"
	"testing"
	"time"
)

// TestRFC7641Pace: when notifications are sent, and with which state.
func TestRFC7641Pace(t *testing.T) {
	check(t, []rule{
		{"4.5.1/one NON notification in 3 s while the round-trip time is not known", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			o, p := b.observe(1, "o", ends), b.observe(2, "p", ends)
			o.Notify(note("1", false, nil))
			b.expect(Message{Type: NonConfirmable, Token: []byte("o"), Code: Content})
			b.sleep(unlimited) // the limit is not reached: no measurement is needed
			p.Notify(note("2", false, nil))
			b.expect(Message{Type: NonConfirmable, Token: []byte("p"), Code: Content})
			o.Notify(note("3", false, nil))
			b.sleep(unlimited - time.Millisecond)
			b.silent()
			b.sleep(time.Millisecond)
			// It had to wait: its acknowledgement measures the round-trip time.
			m := b.expect(Message{Type: Confirmable, Token: []byte("o"), Code: Content})
			b.sleep(500 * time.Millisecond)
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			start := b.s.Now()
			for i := range 4 {
				p.Notify(note(fmt.Sprint(i), false, nil))
			}
			for i := range 4 {
				b.expect(Message{Type: NonConfirmable, Payload: []byte(fmt.Sprint(i)), Code: Content})
				if at := b.s.Now().Sub(start); at != time.Duration(i)*500*time.Millisecond {
					t.Errorf("notification %d after %v", i, at)
				}
				b.sleep(500*time.Millisecond - 1)
				b.silent()
				b.sleep(1)
			}
			b.clean()
		}},
		{"4.5.1/NON and CON notifications together are limited by NSTART", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			o, p := b.observe(1, "o", ends), b.observe(2, "p", ends)
			o.Notify(note("1", true, nil))
			p.Notify(note("2", false, nil))
			m := b.expect(Message{Type: Confirmable, Token: []byte("o"), Code: Content})
			b.silent()
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			b.expect(Message{Type: NonConfirmable, Token: []byte("p"), Code: Content})
			b.clean()
		}},
		{"4.5.1/round-trip time is measured now and then", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			o := b.observe(1, "tk", ends)
			var kinds []Type
			for range 200 {
				o.Notify(note("x", false, nil))
				m := b.take()
				kinds = append(kinds, m.Type)
				if m.Type == Confirmable {
					b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
				}
				b.sleep(unlimited)
			}
			for i, kind := range kinds {
				if (kind == Confirmable) != (i%65 == 64) {
					t.Errorf("notification %d is %v", i, kind)
				}
			}
		}},
		{"4.5/notification after one that was not acknowledged is confirmable", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{KeepOnTimeout: true}), &cancels{}
			o := b.observe(1, "tk", ends)
			o.Notify(note("x", true, nil))
			b.sleep(93 * time.Second)
			b.w.sent = nil
			for range 2 {
				o.Notify(note("y", false, nil))
				b.expect(Message{Type: Confirmable, Code: Content})
				b.sleep(93 * time.Second)
				b.w.sent = nil
			}
			o.Notify(note("z", false, nil))
			m := b.expect(Message{Type: Confirmable, Code: Content})
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			b.sleep(unlimited)
			o.Notify(note("z", false, nil))
			b.expect(Message{Type: NonConfirmable, Code: Content})
			b.clean()
		}},
		{"RFC7959-2.6/block size of the request to observe holds for notifications", func(t *testing.T) {
			for szx := range uint8(7) {
				b, ends := newBench(t, ConnConfig{}), &cancels{}
				var o *Observation
				b.h.serve = func(r *Request) {
					o, _ = r.RespondObserve(&Response{Code: Content, Body: pattern(1500)}, ends)
				}
				m := register(Confirmable, 1, "tk")
				m.Options.SetBlock(OptionBlock2, Block{SZX: szx})
				b.put(m)
				b.expect(Message{Type: Acknowledgement, Code: Content, Options: block(OptionBlock2, 0, true, szx)})
				for _, con := range []bool{false, true} {
					o.Notify(note(string(pattern(1500)), con, nil))
					n := b.take()
					if v, _ := n.Options.Block(OptionBlock2); v != (Block{SZX: szx, More: true}) || len(n.Payload) != 16<<szx {
						t.Errorf("block %+v with %d bytes, want blocks of %d", v, len(n.Payload), 16<<szx)
					}
					b.sleep(unlimited)
					o.Notify(note("short", con, nil))
					if n = b.take(); string(n.Payload) != "short" && con == false {
						t.Errorf("%q", n.Payload)
					}
					b.sleep(unlimited)
				}
			}
		}},
		{"4.5.2/notification that waits is sent with the state at that time", func(t *testing.T) {
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			o := b.observe(1, "tk", ends)
			state, refreshed := 0, 0
			for i := range 2 {
				n := note(fmt.Sprint(state), true, nil)
				n.Refresh = func(r *Response) { refreshed++; r.Body = fmt.Append(r.Body[:0], state) }
				o.Notify(n)
				n.Body = []byte("not kept")
				if i == 0 && refreshed != 0 {
					t.Error("Refresh of a notification that does not wait")
				}
			}
			m := b.expect(Message{Type: Confirmable, Code: Content, Payload: []byte("0")})
			b.sleep(time.Second)
			state = 7
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			m = b.expect(Message{Type: Confirmable, Code: Content, Payload: []byte("7")})
			b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
			if refreshed != 1 {
				t.Errorf("refreshed %d times", refreshed)
			}
			b.clean()
		}},
		{"4.5.2/newer notification keeps the place of the one that waits", func(t *testing.T) {
			// Three observations change each second and are acknowledged after 0.9 s.
			b, ends := newBench(t, ConnConfig{}), &cancels{}
			var all []*Observation
			for i, token := range []string{"a", "b", "c"} {
				all = append(all, b.observe(uint16(i+1), token, ends))
			}
			counts := map[string]int{}
			for second := range 16 {
				for _, o := range all {
					n := note(fmt.Sprint(second), true, nil)
					n.Replace = true
					o.Notify(n)
				}
				b.sleep(900 * time.Millisecond)
				m := b.take()
				counts[string(m.Token)]++
				b.put(Message{Type: Acknowledgement, MessageID: m.MessageID})
				b.sleep(100 * time.Millisecond)
			}
			for _, token := range []string{"a", "b", "c"} {
				if n := counts[token]; n < 5 {
					t.Errorf("observation %s: %d of 16 notifications", token, n)
				}
			}
		}},
	})
}
