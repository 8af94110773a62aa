package coap

import (
	"testing"
)

func TestRFC7967(t *testing.T) {
	check(t, []rule{
		{"2/response is suppressed", func(t *testing.T) {
			b := newBench(t, ConnConfig{})
			b.h.serve = content("x")
			for i, kind := range []Type{Confirmable, NonConfirmable} {
				for j, value := range []uint32{2, 8} {
					m := request(kind, GET, uint16(10*i+j+1), "/a")
					m.Options.AddUint(OptionNoResponse, value)
					b.put(m)
					switch {
					case value == 8 && kind == Confirmable:
						b.expect(Message{Type: Acknowledgement, Code: Content})
					case value == 8:
						b.expect(Message{Type: NonConfirmable, Code: Content})
					case kind == Confirmable:
						// The message is acknowledged nevertheless.
						b.expect(Message{Type: Acknowledgement})
					}
					b.silent()
				}
			}
			if b.h.calls != 4 {
				t.Errorf("served %d times", b.h.calls)
			}
			b.clean()
		}},
	})
}
