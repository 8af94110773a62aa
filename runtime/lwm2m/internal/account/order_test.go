package account

import "testing"

// Of three accounts in an order, in every combination: the first one that is wanted and undecided
// may begin, no account behind it may unless its turn had come before, and a failure holds the
// others back only with /1/x/15.
func TestTurns(t *testing.T) {
	var places []Place
	for g := GoalRegistered; g <= GoalRemoved; g++ {
		for o := Undecided; o <= Failed; o++ {
			for i := range 4 {
				places = append(places, Place{Ordered: true, Goal: g, Outcome: o, Block: i&1 != 0, HadTurn: i&2 != 0})
			}
		}
	}
	for _, a := range places {
		for _, b := range places {
			for _, c := range places {
				a.Priority, b.Priority, c.Priority = 20, 10, 30
				turns := Turns([]Place{a, b, c})
				inOrder, indexes := [3]Place{b, a, c}, [3]int{1, 0, 2}
				holder := -1
				for i, p := range inOrder {
					want := holder
					if p.HadTurn {
						want = -1
					}
					if got := turns[indexes[i]]; got != want {
						t.Fatalf("place %d of %+v waits for %d, want %d", i, inOrder, got, want)
					}
					undecided := p.Outcome == Undecided || p.Outcome == Failed && p.Block
					if holder < 0 && p.Goal < GoalSuspended && undecided {
						holder = indexes[i]
					}
				}
			}
		}
	}
}

// An account without a priority waits for nobody and holds nobody back; equal priorities keep the
// order of the accounts.
func TestTurnsWithoutPriority(t *testing.T) {
	turns := Turns([]Place{{}, {Ordered: true, Priority: 1}, {}, {Ordered: true, Priority: 1}})
	if turns[0] != -1 || turns[1] != -1 || turns[2] != -1 || turns[3] != 1 {
		t.Errorf("turns %v, want [-1 -1 -1 1]", turns)
	}
}
