package account

import (
	"cmp"
	"slices"
)

// Place is what the order of registrations depends on, for one account (Core 1.2.2 §6.2.1).
type Place struct {
	Ordered  bool   // the account has a Registration Priority Order (/1/x/13)
	Priority uint64 // its value; a lower one comes first
	Block    bool   // its failure holds back those behind it (/1/x/15)
	HadTurn  bool   // its turn has come before; a turn is never taken back
	Goal     Goal
	Outcome  Outcome
}

// Turns returns for each account the index of the account that it waits for, or -1 if it may begin.
// An account that is disabled, offline or removed holds nobody back.
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
		holds := p.Outcome == Undecided || p.Outcome == Failed && p.Block
		if first < 0 && p.Goal < GoalSuspended && holds {
			first = i
		}
	}
	return turns
}
