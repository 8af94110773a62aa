package lwm2m_test

import (
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	aclobject "github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// accessTable is what a server is answered that has exactly one right, no right, or all that an
// owner has (Core 1.2.2 §8.2). It is written by hand from the specification, and no code of the
// client has read it. An Observe-Composite of nothing that may be read would observe nothing, so it
// is refused, while a Read-Composite has an answer without values.
const accessTable = `
operation          | none  | R     | W     | E     | D     | C     | owner
Read               | 4.01  | 2.05  | 4.01  | 4.01  | 4.01  | 4.01  | 2.05
Read resource      | 4.01  | 2.05  | 4.01  | 4.01  | 4.01  | 4.01  | 2.05
Read object        | 4.01  | 2.05  | 4.01  | 4.01  | 4.01  | 4.01  | 2.05
Observe            | 4.01  | 2.05  | 4.01  | 4.01  | 4.01  | 4.01  | 2.05
Observe resource   | 4.01  | 2.05  | 4.01  | 4.01  | 4.01  | 4.01  | 2.05
Discover           | 2.05  | 2.05  | 2.05  | 2.05  | 2.05  | 2.05  | 2.05
Discover object    | 2.05  | 2.05  | 2.05  | 2.05  | 2.05  | 2.05  | 2.05
Write-Attributes   | 4.01  | 2.04  | 4.01  | 4.01  | 4.01  | 4.01  | 2.04
Attributes of /0   | 4.01  | 2.04  | 4.01  | 4.01  | 4.01  | 4.01  | 2.04
Attributes object  | 2.04  | 2.04  | 2.04  | 2.04  | 2.04  | 2.04  | 2.04
Write              | 4.01  | 4.01  | 2.04  | 4.01  | 4.01  | 4.01  | 2.04
Write instance     | 4.01  | 4.01  | 2.04  | 4.01  | 4.01  | 4.01  | 2.04
Write partial      | 4.01  | 4.01  | 2.04  | 4.01  | 4.01  | 4.01  | 2.04
Write label        | 4.01  | 4.01  | 2.04  | 4.01  | 4.01  | 4.01  | 2.04
Delete label       | 4.01  | 4.01  | 2.02  | 4.01  | 4.01  | 4.01  | 2.02
Execute            | 4.01  | 4.01  | 4.01  | 2.04  | 4.01  | 4.01  | 2.04
Delete             | 4.01  | 4.01  | 4.01  | 4.01  | 2.02  | 4.01  | 2.02
Create             | 4.01  | 4.01  | 4.01  | 4.01  | 4.01  | 2.01  | 4.01
Write-Composite    | 4.01  | 4.01  | 2.04  | 4.01  | 4.01  | 4.01  | 2.04
Read-Composite     | 2.05- | 2.05+ | 2.05- | 2.05- | 2.05- | 2.05- | 2.05+
Read-Composite /   | 2.05- | 2.05+ | 2.05- | 2.05- | 2.05- | 2.05- | 2.05+
Observe-Composite  | 4.01- | 2.05+ | 4.01- | 4.01- | 4.01- | 4.01- | 2.05+
`

// accessRow is one line of the table: the answers to a server with no right, with each right alone,
// and to an owner.
type accessRow struct {
	operation string
	none      string
	alone     [5]string // R, W, E, D, C
	owner     string
}

func accessRows() []accessRow {
	var rows []accessRow
	for line := range strings.Lines(strings.TrimSpace(accessTable)) {
		var f []string
		for part := range strings.SplitSeq(line, "|") {
			f = append(f, strings.TrimSpace(part))
		}
		rows = append(rows, accessRow{operation: f[0], none: f[1], alone: [5]string(f[2:7]), owner: f[7]})
	}
	return rows[1:] // without the heading
}

// with returns the answer to a server with a set of rights: each right adds what it allows alone.
func (r *accessRow) with(rights aclobject.Rights) string {
	for i, answer := range r.alone {
		if rights&(1<<i) != 0 && answer != r.none {
			return answer
		}
	}
	return r.none
}

// accessRoles are what a server can be to an instance, with the table's column that holds for each.
// The server that asks is 1.
var accessRoles = []struct {
	name  string
	owner dm.ShortServerID
	acl   func(r aclobject.Rights) acl
	want  func(row *accessRow, r aclobject.Rights) string
}{
	{"owner without an entry", 1,
		func(r aclobject.Rights) acl { return acl{2: r} },
		func(row *accessRow, _ aclobject.Rights) string { return row.owner }},
	{"owner, to whom the default does not apply", 1,
		func(r aclobject.Rights) acl { return acl{0: r} },
		func(row *accessRow, _ aclobject.Rights) string { return row.owner }},
	{"owner with an entry", 1,
		func(r aclobject.Rights) acl { return acl{0: aclobject.All, 1: r} },
		func(row *accessRow, r aclobject.Rights) string { return row.with(r) }},
	{"other with an entry", 2,
		func(r aclobject.Rights) acl { return acl{0: aclobject.All &^ r, 1: r} },
		func(row *accessRow, r aclobject.Rights) string { return row.with(r) }},
	{"other by default", 2,
		func(r aclobject.Rights) acl { return acl{0: r, 2: aclobject.All} },
		// Create needs an entry of the server's own (Core 1.2.2 §8.2).
		func(row *accessRow, r aclobject.Rights) string { return row.with(r &^ aclobject.Create) }},
	{"other without an entry and a default", 2,
		func(r aclobject.Rights) acl { return acl{2: r} },
		func(row *accessRow, _ aclobject.Rights) string { return row.none }},
	{"other where the bootstrap server owns", 65535,
		func(r aclobject.Rights) acl { return acl{1: r} },
		func(row *accessRow, r aclobject.Rights) string { return row.with(r) }},
}

// Every operation with every set of rights in every role is answered as the table has it.
func TestAccessByTable(t *testing.T) {
	rows := accessRows()
	if len(rows) != len(accessOperations) {
		t.Fatalf("the table has %d operations, and there are %d", len(rows), len(accessOperations))
	}
	for _, role := range accessRoles {
		t.Run(role.name, func(t *testing.T) {
			onGuarded(t, 2, []dm.InstanceID{0}, func(g *guarded) {
				for r := range aclobject.All + 1 {
					for i := range rows {
						row := &rows[i]
						g.prepare(role.owner, role.acl(r))
						if got, want := g.ask(1, row.operation, gadgetPath), role.want(row, r); got != want {
							t.Errorf("%s with %v: %s, want %s", row.operation, r, got, want)
						}
					}
				}
			})
		})
	}
	t.Run("instance without an instance of object 2", func(t *testing.T) {
		onGuarded(t, 2, []dm.InstanceID{0, 1}, func(g *guarded) {
			g.grant(dm.InstancePath(gadgetID, 1), 1, nil)
			for _, row := range rows {
				want := row.none
				if row.operation == "Read object" {
					want = "2.05" // the other instance
				}
				if got := g.ask(1, row.operation, gadgetPath); got != want {
					t.Errorf("%s: %s, want %s", row.operation, got, want)
				}
			}
		})
	})
}

var gadgetPath = dm.InstancePath(gadgetID, 0)

// prepare makes the gadget and both its entries as they are at the start of a case: that of the
// instance, and that of the object, which the bootstrap server owns.
func (g *guarded) prepare(owner dm.ShortServerID, entries acl) {
	g.t.Helper()
	for id := range g.gadgets.All() {
		if id != 0 {
			must(g.t, g.gadgets.Remove(g.t.Context(), id))
		}
	}
	if _, ok := g.gadgets.Get(0); !ok {
		must(g.t, g.gadgets.Add(0, newGadget()))
	}
	must(g.t, g.gadgets.Update(g.t.Context(), 0, func(i *gadget) error { *i = newGadget(); return nil }))
	g.grant(gadgetPath, owner, entries)
	g.grant(dm.ObjectPath(gadgetID), aclobject.BootstrapOwner, entries)
}

// A single server has all rights, whatever object 2 says, and so have several without object 2
// (Core 1.2.2 §8.1).
func TestAccessWithoutAccessControl(t *testing.T) {
	rows := accessRows()
	for name, c := range map[string]struct {
		servers int
		fill    bool
	}{
		"single server":                      {1, true},
		"several servers without instances":  {3, false},
		"single server without any instance": {1, false},
	} {
		t.Run(name, func(t *testing.T) {
			onGuarded(t, c.servers, []dm.InstanceID{0}, func(g *guarded) {
				for _, row := range rows {
					if c.fill {
						g.prepare(aclobject.BootstrapOwner, acl{1: 0})
					} else if _, ok := g.gadgets.Get(0); !ok {
						must(t, g.gadgets.Add(0, newGadget()))
					}
					want := row.with(aclobject.All)
					if got := g.ask(c.servers, row.operation, gadgetPath); got != want {
						t.Errorf("%s: %s, want %s", row.operation, got, want)
					}
				}
			})
		})
	}
}

// Object 2 itself: every server may read it, its owner may write to it, and no server makes or
// deletes its instances (Core 1.2.2 §8.1).
func TestAccessToAccessControl(t *testing.T) {
	onGuarded(t, 3, []dm.InstanceID{0}, func(g *guarded) {
		g.grant(gadgetPath, 2, acl{3: aclobject.Read})
		g.grant(dm.ObjectPath(gadgetID), aclobject.BootstrapOwner, acl{2: aclobject.Create})
		put := g.manage
		for _, server := range []int{1, 2, 3} {
			for _, op := range []string{"Read", "Read object", "Observe", "Write-Attributes", "Discover"} {
				want := map[bool]string{true: "2.04", false: "2.05"}[op == "Write-Attributes"]
				if got := g.ask(server, op, dm.InstancePath(2, 0)); got != want {
					t.Errorf("%s by server %d: %s, want %s", op, server, got, want)
				}
			}
			for _, op := range []string{"Create", "Delete"} {
				if got := g.ask(server, op, dm.InstancePath(2, 0)); got[0] != '4' {
					t.Errorf("%s by server %d: %s", op, server, got)
				}
			}
			if got := put(server, "/2/1/2/2", 16); got != "4.01" {
				t.Errorf("server %d writes to an instance of the bootstrap server: %s", server, got)
			}
			want := map[bool]string{true: "2.04", false: "4.01"}[server == 2]
			if got := put(server, "/2/0/2/1", server); got != want {
				t.Errorf("server %d writes an entry: %s, want %s", server, got, want)
			}
		}
		if got, want := g.entries(), "/33001 owner 65535: 2=C\n/33001/0 owner 2: 1=W 3=R"; got != want {
			t.Errorf("object 2 is\n%s, want\n%s", got, want)
		}
		for _, bad := range []struct {
			path  string
			value int
		}{{"/2/0/2/1", 32}, {"/2/0/3", 65535}, {"/2/0/3", 9}, {"/2/0/3", 0}} {
			if got := put(2, bad.path, bad.value); got != "4.00" {
				t.Errorf("the owner writes %d to %s: %s, want 4.00", bad.value, bad.path, got)
			}
		}
		// The new owner has all rights, and the former one none.
		if got := put(2, "/2/0/3", 1); got != "2.04" {
			t.Errorf("the owner hands over: %s", got)
		}
		if got := put(2, "/2/0/3", 2); got != "4.01" {
			t.Errorf("the former owner takes it back: %s", got)
		}
	})
}
