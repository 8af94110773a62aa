package coap

import (
	"errors"
	"testing"
)

func newObservations(t *testing.T) (*observations, *recorder) {
	s, _ := newShared(t, ConnConfig{MaxObservations: 2})
	c := &recorder{s: s}
	s.carrier = c
	os := &observations{transfers: &transfers{shared: s}}
	os.init(s)
	return os, c
}

func TestObservations(t *testing.T) {
	t.Run("bounded, and found by token", func(t *testing.T) {
		os, _ := newObservations(t)
		ends := &cancels{}
		a, b := os.begin([]byte("a"), nil, nil, ends), os.begin([]byte("b"), nil, nil, ends)
		if os.begin([]byte("c"), nil, nil, ends) != nil {
			t.Error("a third observation")
		}
		if os.find([]byte("b")) != b {
			t.Error("not found")
		}
		if again := os.begin([]byte("a"), nil, nil, ends); again == nil || !a.Ended() || len(ends.why) != 1 || ends.why[0] != ObserveReplaced {
			t.Errorf("ended %v, %v", a.Ended(), ends.why)
		}
		os.close()
		if os.n != 0 || os.e.Memory() != 0 || len(ends.why) != 3 || ends.why[2] != ObserveClosed {
			t.Errorf("%d observations, %d bytes, %v", os.n, os.e.Memory(), ends.why)
		}
	})
	t.Run("notification goes to the carrier with a growing sequence", func(t *testing.T) {
		os, c := newObservations(t)
		o := os.begin([]byte("a"), nil, nil, &cancels{})
		n := &Notification{}
		n.Code, n.Body = Content, []byte("x")
		for range 2 {
			if err := o.Notify(n); err != nil {
				t.Fatal(err)
			}
		}
		first, _ := c.once[0].Options.Observe()
		second, _ := c.once[1].Options.Observe()
		if second != (first+1)&(1<<24-1) || string(c.once[1].Token) != "a" {
			t.Errorf("sequence %d then %d, token %q", first, second, c.once[1].Token)
		}
		if !os.reset(2) || !o.Ended() || os.reset(1) {
			t.Error("the reset of a notification must end its observation, once")
		}
	})
	t.Run("notification that the carrier refuses", func(t *testing.T) {
		os, c := newObservations(t)
		o := os.begin([]byte("a"), nil, nil, &cancels{})
		c.err = ErrBusy
		for _, size := range []int{1, 5000} {
			n := &Notification{Confirmable: true, Done: func(error) { t.Error("Done was called") }}
			n.Code, n.Body = Content, make([]byte, size)
			if err := o.Notify(n); !errors.Is(err, ErrBusy) || o.deliveries.n != 0 || os.transfers.n != 0 {
				t.Errorf("%v, %d deliveries, %d transfers", err, o.deliveries.n, os.transfers.n)
			}
		}
	})
}
