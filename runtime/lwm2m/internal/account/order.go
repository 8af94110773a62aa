package account

import (
	"cmp"
	"slices"
)

// Place is the input of [Turns] for one account (Core 1.2.2 §6.2.1).
type Place struct {
	Ordered  bool   // the account has a Registration Priority Order (/1/x/13)
	Priority uint64 // its value; a lower one comes first
	Block    bool   // if it fails, the accounts after it do not start (/1/x/15)
	HadTurn  bool   // its turn has come before; a turn is never taken back
	Goal     Goal
	Outcome  Outcome
}

// Turns returns for each account the index of the account that it waits for, or -1 if it may start.
// No account waits for one that is disabled, offline or removed.
func Turns(places []Place) []int {
	turns := make([]int, len(places))
	var order []int
	for i, p := range places {
		if turns[i] = -1; p.Ordered {
			order = append(order, i)
		}
	}
	slices.SortStableFunc(order, func(i, j int) int { return cmp.Compare(places[i].Priority, places[j].Priority) })
	first := -1
	for _, i := range order {
		p := places[i]
		if !p.HadTurn {
			turns[i] = first
		}
		blocks := p.Outcome == Undecided || p.Outcome == Failed && p.Block
		if first < 0 && p.Goal < GoalSuspended && blocks {
			first = i
		}
	}
	return turns
}
