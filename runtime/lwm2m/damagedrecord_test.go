package lwm2m_test

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// damages returns v with each of its values replaced by each of some others, and with each element
// of its lists repeated.
func damages(v any, yield func(where string, damaged any)) {
	for _, other := range []any{nil, -1, 1e18, "", strings.Repeat("A", 4000), []any{}, map[string]any{}, true} {
		yield(fmt.Sprintf("=%.10v", other), other)
	}
	switch v := v.(type) {
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			damages(v[key], func(where string, damaged any) {
				c := maps.Clone(v)
				c[key] = damaged
				yield("."+key+where, c)
			})
		}
	case []any:
		for i, x := range v {
			yield(fmt.Sprintf("[%d] twice", i), slices.Insert(slices.Clone(v), i, x))
			damages(x, func(where string, damaged any) {
				c := slices.Clone(v)
				c[i] = damaged
				yield(fmt.Sprintf("[%d]%s", i, where), c)
			})
		}
	}
}

// Whatever a value of what Detach has left is replaced by, the next client is registered, serves
// its server, and can be detached and started again.
func TestDamagedRegistrations(t *testing.T) {
	inLives(t, false, func(l *lives) {
		config := func() (lwm2m.Config, *temperature.Object) {
			sensor := newSensor(t, 0, 1)
			cfg := l.config()
			cfg.Objects = append(cfg.Objects, sensor)
			cfg.Servers[0].Lifetime = 365 * 24 * time.Hour
			return cfg, sensor
		}
		cfg, sensor := config()
		l.registered(cfg)
		d, ctx := l.server.WaitRegistered("dev"), context.Background()
		if _, _, err := d.Observe(ctx, "/3303/0/5700", content.SenMLCBOR, "pmin=10", "gt=30"); err != nil {
			t.Fatal(err)
		}
		if _, _, err := d.ObserveComposite(ctx, content.SenMLCBOR, []string{"/3303/0/5700", "/3303/1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := d.WriteAttributes(ctx, "/3303/1/5700", "pmax=60", "st=2"); err != nil {
			t.Fatal(err)
		}
		l.client.Suspend()
		time.Sleep(time.Minute)
		must(t, sensor.Update(ctx, 0, func(x *temperature.Instance) error { x.SensorValue = dm.Float(31); return nil }))
		time.Sleep(time.Minute)
		l.detach()
		whole := slices.Clone(l.store.records["registrations"])
		var record any
		must(t, json.Unmarshal(whole, &record))
		n := 0
		damages(record, func(where string, damaged any) {
			n++
			b, err := json.Marshal(damaged)
			must(t, err)
			l.store.records["registrations"] = b
			began := time.Now()
			cfg, _ := config()
			l.registered(cfg)
			a, err := l.server.WaitRegistered("dev").Read(ctx, "/3303/0/5700", content.Text)
			if err != nil || a.Text() != "20" {
				t.Errorf("%s: Read: %v (%v)", where, a, err)
			}
			time.Sleep(2 * time.Minute)
			l.detach()
			if took := time.Since(began); took > 3*time.Minute {
				t.Errorf("%s: took %v", where, took)
			}
			// The server forgets the message IDs, which the next client repeats.
			time.Sleep(5 * time.Minute)
			if t.Failed() {
				t.Fatal(where)
			}
		})
		if n < 400 {
			t.Errorf("only %d damages: the record lacks what it should have", n)
		}
	})
}

// With a damaged session the next client makes a handshake, and registers.
func TestDamagedSession(t *testing.T) {
	for name, damage := range map[string]func(b []byte) []byte{
		"none":         func(b []byte) []byte { return b },
		"empty":        func([]byte) []byte { return nil },
		"one byte":     func(b []byte) []byte { return b[:1] },
		"cut off":      func(b []byte) []byte { return b[:len(b)-1] },
		"first flips":  func(b []byte) []byte { b[0] ^= 1; return b },
		"middle flips": func(b []byte) []byte { b[len(b)/2] ^= 0x80; return b },
		"last flips":   func(b []byte) []byte { b[len(b)-1] ^= 1; return b },
		"and more":     func(b []byte) []byte { return append(b, 0) },
		"long":         func([]byte) []byte { return make([]byte, 1<<20) },
	} {
		t.Run(name, func(t *testing.T) {
			inLives(t, true, func(l *lives) {
				l.registered(l.config())
				l.detach()
				sessions := l.store.names("session/")
				if len(sessions) != 1 {
					t.Fatalf("the store has the sessions %q", sessions)
				}
				l.store.records[sessions[0]] = damage(l.store.records[sessions[0]])
				if got := l.registered(l.config()); isUpdate(got) != (name == "none") {
					t.Errorf("the next client sends %q", got)
				}
				if n := len(l.store.names("session/")); n > 0 {
					t.Errorf("%d sessions are left", n)
				}
				l.detach()
				if got := l.registered(l.config()); !isUpdate(got) {
					t.Errorf("the client after it sends %q, want an Update", got)
				}
			})
		})
	}
}
