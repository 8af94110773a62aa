package access

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"testing"

	gen "github.com/lwm2mgen/toolkit/generated/accesscontrol"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// A table that follows transactions is the one that is read afterwards. A transaction may give
// instances of object 2 the targets of others, as a bootstrap server does that writes the object
// again. The object here does not refuse two entries for one target.
func TestTableFollowsTransactions(t *testing.T) {
	o, err := gen.New(gen.Config{Template: accesscontrol.Template()})
	if err != nil {
		t.Fatal(err)
	}
	m, err := dm.NewModel(dm.ModelConfig{}, o)
	if err != nil {
		t.Fatal(err)
	}
	table := Read(m.Snapshot())
	var changed []dm.Path
	m.Subscribe(func(b dm.Batch) {
		for _, e := range b.Events {
			changed = append(changed, e.Path.Up(dm.InstanceLevel))
		}
	})
	random := rand.New(rand.NewPCG(1, 2))
	for round := range 2000 {
		changed = nil
		tx, err := m.Begin(t.Context(), dm.Bootstrap)
		if err != nil {
			t.Fatal(err)
		}
		for range 1 + random.IntN(4) {
			change(t, tx, random)
		}
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		table.Update(m.Snapshot(), changed...)
		if got, want := show(table), show(Read(m.Snapshot())); got != want {
			t.Fatalf("round %d: after changes of %v the table is\n%s\nwant\n%s", round, changed, got, want)
		}
	}
}

// change makes a random change of object 2.
func change(t *testing.T, tx *dm.Transaction, random *rand.Rand) {
	t.Helper()
	id := dm.InstanceID(random.IntN(5))
	p := dm.InstancePath(gen.ObjectID, id)
	err := error(nil)
	switch n := random.IntN(8); {
	case n == 0:
		err = tx.Delete(dm.ObjectPath(gen.ObjectID))
	case n < 3 && tx.Snapshot().Has(p):
		err = tx.Delete(p)
	default:
		at := func(r dm.ResourceID) dm.Path { return dm.ResourcePath(gen.ObjectID, id, r) }
		err = tx.Write(p, dm.Replace, []dm.Entry{
			{Path: at(gen.ObjectIDID), Value: dm.IntegerValue(3303)},
			{Path: at(gen.ObjectInstanceIDID), Value: dm.IntegerValue(random.Int64N(4))},
			{Path: at(gen.AccessControlOwnerID), Value: dm.IntegerValue(1 + random.Int64N(3))},
		})
	}
	if err != nil {
		t.Fatal(err)
	}
}

// show prints what a table says, a line for each target.
func show(t *Table) string {
	text := fmt.Sprintln(t.len(), "entries")
	for _, x := range slices.SortedFunc(maps.Keys(t.entries), func(a, b target) int { return int(a.instance) - int(b.instance) }) {
		text += fmt.Sprintf("/%d/%d: /2/%d, owner %d\n", x.object, x.instance, t.entries[x].id, t.entries[x].owner)
	}
	return text
}
