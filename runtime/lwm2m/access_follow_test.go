package lwm2m_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	aclobject "github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// wantEntries fails unless object 2 prints like these lines.
func (g *guarded) wantEntries(want ...string) {
	g.t.Helper()
	slices.Sort(want)
	if got := g.entries(); got != strings.Join(want, "\n") {
		g.t.Errorf("object 2 is\n%s\nwant\n%s", got, strings.Join(want, "\n"))
	}
}

// gadgetIDs returns the IDs of the gadgets.
func (g *guarded) gadgetIDs() string {
	var ids []dm.InstanceID
	for id := range g.gadgets.All() {
		ids = append(ids, id)
	}
	return fmt.Sprint(ids)
}

func gadgetAt(id dm.InstanceID) dm.Path { return dm.InstancePath(gadgetID, id) }

// An instance that a server creates belongs to that server, and its entry goes with it (Core 1.2.2
// §8.1).
func TestEntryFollowsInstance(t *testing.T) {
	onGuarded(t, 3, []dm.InstanceID{0}, func(g *guarded) {
		var batches []string
		g.client.Model().Subscribe(func(b dm.Batch) { batches = append(batches, fmt.Sprint(b.Origin, b.Events)) })
		g.grant(dm.ObjectPath(gadgetID), aclobject.BootstrapOwner, acl{2: aclobject.Create})
		synctest.Wait()
		batches = nil
		if got := g.ask(2, "Create", gadgetPath); got != "2.01" {
			t.Fatalf("Create: %s", got)
		}
		synctest.Wait() // subscribers are called after the answer
		g.wantEntries("/33001 owner 65535: 2=C", "/33001/1 owner 2:")
		if want := "server 2 [{/2/1 created} {/33001/1 created}]"; !slices.Equal(batches, []string{want}) {
			t.Errorf("published %v, want %s alone", batches, want)
		}
		for server, want := range map[int]string{1: "4.01", 2: "2.05", 3: "4.01"} {
			if got := g.ask(server, "Read", gadgetAt(1)); got != want {
				t.Errorf("Read of the new instance by server %d: %s, want %s", server, got, want)
			}
		}
		if got := g.ask(3, "Delete", gadgetAt(1)); got != "4.01" {
			t.Errorf("Delete by another server: %s", got)
		}
		if got := g.ask(2, "Delete", gadgetAt(1)); got != "2.02" {
			t.Errorf("Delete by the owner: %s", got)
		}
		g.wantEntries("/33001 owner 65535: 2=C")

		// The application has its own way, and what it removes has no entry any more.
		must(t, g.gadgets.Add(5, newGadget()))
		g.wantEntries("/33001 owner 65535: 2=C")
		g.grant(gadgetAt(5), 1, acl{3: aclobject.Read})
		must(t, g.gadgets.Remove(g.t.Context(), 5))
		g.wantEntries("/33001 owner 65535: 2=C")
	})
}

// An entry that was left from an earlier run says nothing about a new instance.
func TestEntryOfAnotherInstanceIsReplaced(t *testing.T) {
	onGuarded(t, 2, []dm.InstanceID{0}, func(g *guarded) {
		g.grant(dm.ObjectPath(gadgetID), aclobject.BootstrapOwner, acl{2: aclobject.Create})
		g.grant(gadgetAt(1), 1, acl{1: aclobject.All})
		if got := g.ask(2, "Create", gadgetPath); got != "2.01" {
			t.Fatalf("Create: %s", got)
		}
		g.wantEntries("/33001 owner 65535: 2=C", "/33001/1 owner 2:")
	})
}

// With an account its Server instance, its observations and its part in the entries go, and what
// only that server could reach (Core 1.1 §E.1.3).
func TestAccountIsRemoved(t *testing.T) {
	for name, remove := range map[string]func(g *guarded) error{
		"RemoveServer": func(g *guarded) error { return g.client.RemoveServer(g.t.Context(), 1) },
		"the application deletes the Security instance": func(g *guarded) error {
			return g.transaction(dm.Application, func(tx *dm.Transaction) error { return tx.Delete(dm.InstancePath(0, 0)) })
		},
		"a bootstrap deletes the Security instance": func(g *guarded) error {
			return g.transaction(dm.Bootstrap, func(tx *dm.Transaction) error { return tx.Delete(dm.InstancePath(0, 0)) })
		},
	} {
		t.Run(name, func(t *testing.T) {
			onGuarded(t, 3, []dm.InstanceID{0, 1, 2, 3, 4, 5, 6}, func(g *guarded) {
				const r, w, d = aclobject.Read, aclobject.Write, aclobject.Delete
				g.grant(dm.ObjectPath(gadgetID), aclobject.BootstrapOwner, acl{1: aclobject.Create, 2: aclobject.Create})
				g.grant(gadgetAt(0), 1, nil)                           // goes
				g.grant(gadgetAt(1), 1, acl{1: r | w | d, 2: r, 3: w}) // to 3, which has W
				g.grant(gadgetAt(2), 1, acl{2: w | r, 3: w | d})       // to 3, which has W and D
				g.grant(gadgetAt(3), 2, acl{1: r, 3: r})               // stays with 2
				g.grant(gadgetAt(4), 1, acl{0: r})                     // to 2, the lowest
				g.grant(gadgetAt(5), 1, acl{1: aclobject.All, 2: 0})   // goes
				g.grant(gadgetAt(6), 65535, acl{1: r})                 // stays
				g.grant(dm.InstancePath(3, 0), 1, nil)                 // stays, not made by servers
				g.grant(dm.InstancePath(1, 0), 1, acl{2: r})           // goes with the account
				g.grant(dm.InstancePath(1, 1), 1, nil)                 // stays, an account
				if got := g.ask(1, "Observe", gadgetAt(1)); got != "2.05" {
					t.Errorf("Observe: %s", got)
				}
				must(t, remove(g))
				if got, want := g.gadgetIDs(), "[1 2 3 4 6]"; got != want {
					t.Errorf("the gadgets are %s, want %s", got, want)
				}
				g.wantEntries("/33001 owner 65535: 2=C", "/33001/1 owner 3: 2=R 3=W", "/33001/2 owner 3: 2=RW 3=WD",
					"/33001/3 owner 2: 3=R", "/33001/4 owner 2: 0=R", "/33001/6 owner 65535:", "/3/0 owner 65535:",
					"/1/1 owner 65535:")
				s := g.client.Model().Snapshot()
				for p, want := range map[dm.Path]bool{
					dm.InstancePath(0, 0): false, dm.InstancePath(1, 0): false, dm.InstancePath(1, 1): true,
					dm.InstancePath(0, 1): true, dm.InstancePath(3, 0): true,
				} {
					if s.Has(p) != want {
						t.Errorf("%v exists: %v, want %v", p, !want, want)
					}
				}
				time.Sleep(time.Minute)
				synctest.Wait()
				if _, known := g.client.Status().Server(1); known {
					t.Error("the client still has the account")
				}
				if _, ok := g.client.Status().Server(2); !ok {
					t.Error("the client has lost the other account")
				}
			})
		})
	}
}

// transaction runs fn as a transaction of the device's Model.
func (g *guarded) transaction(who dm.Origin, fn func(*dm.Transaction) error) error {
	g.t.Helper()
	tx, err := g.client.Model().Begin(g.t.Context(), who)
	must(g.t, err)
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// An account whose Security instance is replaced is the same account (Core 1.2.2 §6.1).
func TestAccountIsReplaced(t *testing.T) {
	onGuarded(t, 2, []dm.InstanceID{0}, func(g *guarded) {
		g.grant(gadgetPath, 1, nil)
		must(t, g.transaction(dm.Bootstrap, func(tx *dm.Transaction) error {
			if err := tx.Delete(dm.InstancePath(0, 0)); err != nil {
				return err
			}
			entry := func(r dm.ResourceID, v dm.Value) dm.Entry {
				return dm.Entry{Path: dm.ResourcePath(0, 7, r), Value: v}
			}
			return tx.Write(dm.InstancePath(0, 7), dm.Replace, []dm.Entry{
				entry(0, dm.StringValue("coap://s1")), entry(1, dm.BooleanValue(false)), entry(2, dm.IntegerValue(3)),
				entry(10, dm.IntegerValue(1)),
			})
		}))
		g.wantEntries("/33001/0 owner 1:")
		if !g.client.Model().Snapshot().Has(dm.InstancePath(1, 0)) {
			t.Error("the Server instance is gone")
		}
	})
}

// What a bootstrap server writes into object 2 must fit the device at the end of the sequence.
func TestBootstrapWritesEntries(t *testing.T) {
	entry := func(object, instance, owner int64, acl ...int64) func(*dm.Transaction) error {
		return func(tx *dm.Transaction) error {
			p := func(r dm.ResourceID) dm.Path { return dm.ResourcePath(2, 9, r) }
			list := []dm.Entry{{Path: p(0), Value: dm.IntegerValue(object)}, {Path: p(1), Value: dm.IntegerValue(instance)}}
			for i := 0; i < len(acl); i += 2 {
				at, _ := p(2).Child(uint16(acl[i]))
				list = append(list, dm.Entry{Path: at, Value: dm.IntegerValue(acl[i+1])})
			}
			list = append(list, dm.Entry{Path: p(3), Value: dm.IntegerValue(owner)})
			return tx.Write(dm.InstancePath(2, 9), dm.Replace, list)
		}
	}
	for name, c := range map[string]struct {
		write func(*dm.Transaction) error
		fault string // the path in the error; empty for none
	}{
		"instance":                          {entry(33001, 0, 1, 2, 1), ""},
		"object":                            {entry(33001, 65535, 65535, 2, 16), ""},
		"owned by the bootstrap server":     {entry(33001, 0, 65535, 1, 1, 0, 1), ""},
		"no such instance":                  {entry(33001, 5, 1), "/2/9/1"},
		"no such object":                    {entry(33002, 65535, 65535), "/2/9/0"},
		"no such owner":                     {entry(33001, 0, 7), "/2/9/3"},
		"object that a server owns":         {entry(33001, 65535, 1), "/2/9/3"},
		"instance of Access Control itself": {entry(2, 9, 1), "/2/9/0"},
	} {
		t.Run(name, func(t *testing.T) {
			onGuarded(t, 2, []dm.InstanceID{0}, func(g *guarded) {
				err := g.transaction(dm.Bootstrap, c.write)
				var e *dm.Error
				switch {
				case c.fault == "" && err != nil:
					t.Errorf("refused: %v", err)
				case c.fault != "" && (!errors.As(err, &e) || e.Code != dm.NotAcceptable || e.Path.String() != c.fault):
					t.Errorf("%v, want 4.06 at %s", err, c.fault)
				}
			})
		})
	}
	t.Run("before the instance", func(t *testing.T) {
		onGuarded(t, 2, []dm.InstanceID{0}, func(g *guarded) {
			must(t, g.transaction(dm.Bootstrap, func(tx *dm.Transaction) error {
				if err := entry(33001, 4, 2, 1, 1)(tx); err != nil {
					return err
				}
				return tx.Write(gadgetAt(4), dm.Replace, []dm.Entry{{Path: gadgetAt(4), Value: dm.Value{}}})
			}))
			g.wantEntries("/33001/4 owner 2: 1=R")
			// The switch makes no entries for what the bootstrap server has left out.
			if got := g.ask(1, "Read", gadgetPath); got != "4.01" {
				t.Errorf("Read of an instance without an entry: %s", got)
			}
		})
	})
}

// What follows from a request is stored in one record with it, and undone with it.
func TestEntryIsStoredWithItsInstance(t *testing.T) {
	var stored []string
	broken := false
	persist := func(_ context.Context, c dm.Committed) error {
		if broken {
			return errors.New("the disk is full")
		}
		stored = append(stored, fmt.Sprint(c.Events))
		return nil
	}
	onGuardedConfig(t, 2, []dm.InstanceID{0}, func(c *lwm2m.Config) { c.Persist = persist }, func(g *guarded) {
		g.grant(dm.ObjectPath(gadgetID), aclobject.BootstrapOwner, acl{2: aclobject.Create})
		stored = nil
		if got := g.ask(2, "Create", gadgetPath); got != "2.01" {
			t.Errorf("Create: %s", got)
		}
		if got := g.ask(2, "Delete", gadgetAt(1)); got != "2.02" {
			t.Errorf("Delete: %s", got)
		}
		want := []string{"[{/2/1 created} {/33001/1 created}]", "[{/2/1 deleted} {/33001/1 deleted}]"}
		if !slices.Equal(stored, want) {
			t.Errorf("stored %v, want %v", stored, want)
		}
		broken = true
		if got := g.ask(2, "Create", gadgetPath); got != "5.00" {
			t.Errorf("Create without a store: %s", got)
		}
		if err := g.client.RemoveServer(g.t.Context(), 2); err == nil {
			t.Error("RemoveServer succeeds without a store")
		}
		g.wantEntries("/33001 owner 65535: 2=C")
		if got := g.gadgetIDs(); got != "[0]" {
			t.Errorf("the gadgets are %s", got)
		}
	})
}

// Config.AccessControl makes the entries of what the program makes, then and later.
func TestAccessControlOfConfig(t *testing.T) {
	config := func(c *lwm2m.Config) {
		c.AccessControl = &lwm2m.AccessControl{Owner: 1, Rights: acl{2: aclobject.Read | aclobject.Create}}
	}
	onGuardedConfig(t, 3, []dm.InstanceID{0}, config, func(g *guarded) {
		accounts := []string{"/1/0 owner 1: 2=R", "/1/1 owner 1: 2=R", "/1/2 owner 1: 2=R", "/3/0 owner 1: 2=R"}
		g.wantEntries(append(accounts, "/33001 owner 65535: 2=C", "/33001/0 owner 1: 2=R")...)
		must(t, g.gadgets.Add(1, newGadget()))
		if got := g.ask(2, "Create", gadgetPath); got != "2.01" {
			t.Errorf("Create: %s", got)
		}
		g.wantEntries(append(accounts, "/33001 owner 65535: 2=C", "/33001/0 owner 1: 2=R", "/33001/1 owner 1: 2=R", "/33001/2 owner 2:")...)
		for server, want := range map[int]string{1: "2.04", 2: "4.01", 3: "4.01"} {
			if got := g.ask(server, "Write", gadgetAt(1)); got != want {
				t.Errorf("Write by server %d: %s, want %s", server, got, want)
			}
		}
	})
}

// A bootstrap server may write object 2 again so that its instances exchange what they are for.
func TestEntriesExchangeTargets(t *testing.T) {
	onGuarded(t, 2, []dm.InstanceID{0, 1}, func(g *guarded) {
		g.grant(gadgetAt(0), 1, nil)
		g.grant(gadgetAt(1), 2, nil)
		must(t, g.transaction(dm.Bootstrap, func(tx *dm.Transaction) error {
			if err := tx.Delete(dm.ObjectPath(2)); err != nil {
				return err
			}
			for i := range int64(2) { // /2/0 is for gadget 1 now, and /2/1 for gadget 0
				p := func(r dm.ResourceID) dm.Path { return dm.ResourcePath(2, dm.InstanceID(i), r) }
				if err := tx.Write(p(0).Up(dm.InstanceLevel), dm.Replace, []dm.Entry{
					{Path: p(0), Value: dm.IntegerValue(int64(gadgetID))}, {Path: p(1), Value: dm.IntegerValue(1 - i)},
					{Path: p(3), Value: dm.IntegerValue(2 - i)},
				}); err != nil {
					return err
				}
			}
			return nil
		}))
		g.wantEntries("/33001/0 owner 1:", "/33001/1 owner 2:")
		for server := range 2 {
			for id := range dm.InstanceID(2) {
				want := map[bool]string{true: "2.05", false: "4.01"}[server == int(id)]
				if got := g.ask(server+1, "Read", gadgetAt(id)); got != want {
					t.Errorf("Read of gadget %d by server %d: %s, want %s", id, server+1, got, want)
				}
			}
		}
	})
}

// A server cannot open the rest of the device by deleting the only instance that has an entry: the
// entry stays, and so does access control.
func TestLastEntryStays(t *testing.T) {
	for name, remove := range map[string]func(g *guarded) error{
		"a server deletes the instance": func(g *guarded) error {
			if got := g.ask(1, "Delete", gadgetAt(0)); got != "2.02" {
				return errors.New(got)
			}
			return nil
		},
		"the application removes the instance": func(g *guarded) error { return g.gadgets.Remove(g.t.Context(), 0) },
		"a bootstrap deletes the instance": func(g *guarded) error {
			return g.transaction(dm.Bootstrap, func(tx *dm.Transaction) error { return tx.Delete(gadgetAt(0)) })
		},
		"the account goes": func(g *guarded) error { return g.client.RemoveServer(g.t.Context(), 1) },
	} {
		t.Run(name, func(t *testing.T) {
			onGuarded(t, 3, []dm.InstanceID{0, 1}, func(g *guarded) {
				g.grant(gadgetAt(0), 1, acl{1: aclobject.Delete})
				must(t, remove(g))
				synctest.Wait()
				if got := g.gadgetIDs(); got != "[1]" {
					t.Errorf("the gadgets are %s", got)
				}
				for server := 2; server <= 3; server++ {
					for _, op := range []string{"Read", "Write", "Execute", "Delete"} {
						if got := g.ask(server, op, gadgetAt(1)); got != "4.01" {
							t.Errorf("%s of another instance by server %d: %s", op, server, got)
						}
					}
				}
				if name == "the account goes" {
					// A later account with the Short Server ID 1 must not inherit the entry.
					g.wantEntries("/33001/0 owner 65535:")
				} else if g.wantEntries("/33001/0 owner 1: 1=D"); g.manage(1, "/2/0/2/1", 0) != "2.04" {
					t.Error("the owner cannot change the entry")
				}
			})
		})
	}
}
