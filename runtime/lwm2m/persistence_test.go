package lwm2m_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// newGoals returns a Set Point object with an instance 0, in which servers can create instances.
func newGoals(t *testing.T) *setpoint.Object {
	t.Helper()
	o, err := setpoint.New(setpoint.Config{Template: setpoint.Instance{ApplicationType: dm.Empty[string]()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := o.Add(0, setpoint.Instance{SetPointValue: dm.Float(21), ApplicationType: dm.Empty[string]()}); err != nil {
		t.Fatal(err)
	}
	return o
}

func (l *lives) withGoals() (lwm2m.Config, *setpoint.Object) {
	cfg, goals := l.config(), newGoals(l.t)
	cfg.Objects, cfg.StoredObjects = append(cfg.Objects, goals), []dm.ObjectID{setpoint.ObjectID}
	return cfg, goals
}

func changed(t *testing.T, a interface{ String() string }, code, want coap.Code, err error) {
	t.Helper()
	if err != nil || code != want {
		t.Fatalf("%v (%v), want %v", a, err, want)
	}
}

func valuesOf(o *setpoint.Object) map[dm.InstanceID]string {
	got := map[dm.InstanceID]string{}
	for id, i := range o.All() {
		got[id] = dm.FloatValue(i.SetPointValue.Or(-1)).String() + i.ApplicationType.Or("")
	}
	return got
}

// What a server writes, creates and deletes is there after a kill, and so is what the program adds
// in a later version.
func TestStoredObjectsSurviveAKill(t *testing.T) {
	inLives(t, false, func(l *lives) {
		cfg, _ := l.withGoals()
		l.start(cfg)
		d := l.server.WaitRegistered("dev")
		ctx := context.Background()
		a, err := d.Write(ctx, "/3308/0/5900", content.Text, []byte("60"))
		changed(t, a, a.Code, coap.Changed, err)
		a, err = d.Write(ctx, "/3308/0/5750", content.Text, []byte("oven"))
		changed(t, a, a.Code, coap.Changed, err)
		create := func(id string) {
			t.Helper()
			a, err := d.Create(ctx, "/3308", content.SenMLJSON, []byte(`[{"bn":"/3308/`+id+`/","n":"5900","v":5}]`))
			changed(t, a, a.Code, coap.Created, err)
		}
		create("7")
		create("8")
		a, err = d.Delete(ctx, "/3308/8")
		changed(t, a, a.Code, coap.Deleted, err)
		a, err = d.Write(ctx, "/1/0/1", content.Text, []byte("7200"))
		changed(t, a, a.Code, coap.Changed, err)
		l.kill()

		cfg, goals := l.withGoals()
		n := len(l.server.Requests())
		l.start(cfg)
		if got := valuesOf(goals); len(got) != 2 || got[0] != "60oven" || got[7] != "5" {
			t.Errorf("after the kill: %v", got)
		}
		d = l.server.WaitRegistered("dev")
		if r := l.since(n); len(r) == 0 || r[0] != "POST /rd" {
			t.Errorf("after a kill the device sends %q, want a Register", r)
		}
		if lt := d.Registration().Lifetime.Hours(); lt != 2 {
			t.Errorf("the lifetime is %v h, want that of the server's write, 2 h", lt)
		}
		a, err = d.Delete(ctx, "/3308/0")
		changed(t, a, a.Code, coap.Deleted, err)
		l.kill()

		cfg, goals = l.withGoals()
		l.start(cfg)
		if got := valuesOf(goals); len(got) != 1 || got[7] != "5" {
			t.Errorf("after the Delete: %v, want that the instance of the program stays deleted", got)
		}
	})
}

// A write that the store cannot keep is refused and undone, and nothing is stored at a start that
// changes nothing.
func TestStoreThatFails(t *testing.T) {
	inLives(t, false, func(l *lives) {
		cfg, goals := l.withGoals()
		l.start(cfg)
		d := l.server.WaitRegistered("dev")
		l.store.fail(errors.New("no space"))
		a, err := d.Write(context.Background(), "/3308/0/5900", content.Text, []byte("60"))
		if err != nil || a.Code != coap.InternalServerError {
			t.Errorf("%v (%v), want 5.00", a, err)
		}
		l.store.fail(nil)
		if got := valuesOf(goals); got[0] != "21" {
			t.Errorf("after the failure: %v", got)
		}
		l.kill()
		cfg, _ = l.withGoals()
		l.start(cfg)
		l.server.WaitRegistered("dev")
	})
}

// The accounts of the store take the place of those in Config.Servers.
func TestStoredAccountsTakeThePlaceOfServers(t *testing.T) {
	inLives(t, false, func(l *lives) {
		l.start(l.config())
		l.server.WaitRegistered("dev")
		want := []string{"dm/0", "dm/0/0", "dm/1", "dm/1/0"}
		if got := l.store.names(""); !slices.Equal(got, want) {
			t.Errorf("the store has %q, want %q", got, want)
		}
		l.kill()
		cfg := l.config()
		cfg.Servers = []lwm2m.Server{{URI: "coap://another"}, {URI: "coap://more"}}
		c := l.start(cfg)
		time.Sleep(time.Second)
		if st := c.Status(); len(st.Servers) != 1 || st.Servers[0].URI != l.uri {
			t.Errorf("status %v", st)
		}
	})
}

// A store whose records do not fit the device is an error of New that says which one, and stays as
// it is.
func TestStoreThatDoesNotFit(t *testing.T) {
	inLives(t, false, func(l *lives) {
		cfg, _ := l.withGoals()
		l.start(cfg)
		l.server.WaitRegistered("dev")
		l.kill()
		for _, bad := range []struct{ name, record, want string }{
			{"dm/3308/0", "\xff", "dm/3308/0"}, {"dm/1/0", "\x80", "dm/1/0"}, {"dm/1/7", "\x01\x00", "/1/7: mandatory"}, {"dm/x", "", "dm/x"}, {"dm/3308/00", "", "dm/3308/00"},
		} {
			name, record := bad.name, bad.record
			before := l.store.records[name]
			l.store.records[name] = []byte(record)
			batches := l.store.batches
			cfg, _ := l.withGoals()
			_, err := lwm2m.New(cfg)
			if err == nil || !strings.Contains(err.Error(), bad.want) {
				t.Errorf("with a record %s of %q: %v", name, record, err)
			}
			if l.store.batches != batches {
				t.Errorf("%s: the store was written", name)
			}
			if before == nil {
				delete(l.store.records, name)
			} else {
				l.store.records[name] = before
			}
		}
	})
}

// selfStored is an object that keeps its state by itself.
type selfStored struct{ *setpoint.Object }

func (selfStored) Persist(context.Context, dm.Committed) error { return nil }

func TestStoreConfig(t *testing.T) {
	for _, test := range []struct {
		name string
		set  func(*lwm2m.Config)
		want string
	}{
		{"two ways", func(c *lwm2m.Config) { c.Persist = func(context.Context, dm.Committed) error { return nil } }, "Store and Persist"},
		{"no store", func(c *lwm2m.Config) { c.Store = nil; c.StoredObjects = []dm.ObjectID{3} }, "without Store"},
		{"an object that stores itself", func(c *lwm2m.Config) {
			c.Objects, c.StoredObjects = append(c.Objects, selfStored{newGoals(t)}), []dm.ObjectID{3308}
		}, "StoredObjects[0] is 3308, an object that stores its state itself"},
		{"unknown object", func(c *lwm2m.Config) { c.StoredObjects = []dm.ObjectID{3308} }, "StoredObjects[0] is 3308"},
	} {
		cfg := lwm2m.Config{Objects: []dm.Object{newDevice(t)}, Logger: quiet(), Store: &memStore{records: map[string][]byte{}}}
		test.set(&cfg)
		if _, err := lwm2m.New(cfg); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
}
