package lwm2m

import (
	"errors"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m/internal/account"
)

// Every reason is true when it is shown: for every state of an account and every wish, the pair of
// state and reason fits together.
func TestStateAndReasonFit(t *testing.T) {
	failure := errors.New("the last failure")
	pairs := map[State]int{}
	model, err := dm.NewModel(dm.ModelConfig{})
	if err != nil {
		t.Fatal(err)
	}
	for bits := range 1 << 6 {
		b := func(i int) bool { return bits>>i&1 != 0 }
		for _, st := range accountStates() {
			s := &server{client: &Client{closing: b(0), model: model, boot: new(bootstrapper)}, state: st, attempt: attempt{err: failure}}
			s.intent = intent{removed: b(1), disabled: b(2), offline: b(3), turn: b(4)}
			if st.Effort == account.Removed && !s.intent.removed {
				continue // it cannot be
			}
			if !s.intent.turn {
				s.intent.after = &server{settings: settings{shortID: 7}}
			}
			s.registration.before = b(5)
			state, err := State(st.View(s.viewFacts())), s.reason()
			pairs[state]++
			left := errors.Is(err, ErrClosed) || errors.Is(err, ErrRemoved) || errors.Is(err, ErrDisabled)
			bad := false
			switch state {
			case StateDeregistering, StateDeregistered:
				// A De-register whose account was enabled in the meantime still ends.
				bad = !left && (state == StateDeregistered || st.Request != account.Deregister)
			case StateSuspended:
				bad = !errors.Is(err, ErrOffline)
			default:
				bad = left || errors.Is(err, ErrOffline)
			}
			if errors.Is(err, ErrClosed) && !s.client.closing || errors.Is(err, ErrRemoved) && s.client.closing {
				bad = true
			}
			if bad {
				t.Fatalf("state %v with reason %v, intent %+v, account %+v", state, err, s.intent, st)
			}
		}
	}
	for state := StateInitial; int(state) < len(stateNames); state++ {
		if pairs[state] == 0 {
			t.Errorf("state %v is never shown", state)
		}
	}
}

// accountStates returns every combination of what the view depends on.
func accountStates() []account.State {
	var all []account.State
	for c := account.Disconnected; c <= account.Asleep; c++ {
		for q := account.NoRequest; q <= account.Deregister; q++ {
			for r := account.Unknown; r <= account.Outdated; r++ {
				for tm := account.NoTimer; tm <= account.NextUpdate; tm++ {
					for e := account.Trying; e <= account.Removed; e++ {
						for _, untold := range []bool{false, true} {
							all = append(all, account.State{Connection: c, Request: q, Registration: r, Timer: tm, Effort: e, ServerUnaware: untold})
						}
					}
				}
			}
		}
	}
	return all
}

// The public states are the views of the account, with the same names.
func TestStatesAreViews(t *testing.T) {
	for v := account.ViewInitial; v <= account.ViewAsleep; v++ {
		if v.String() != State(v).String() {
			t.Errorf("view %q is state %q", v, State(v))
		}
	}
}
