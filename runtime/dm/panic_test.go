package dm_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A panic in user code is passed on. It keeps neither the writer slot nor a part of the change.
func TestPanics(t *testing.T) {
	rollbacks := map[string]string{
		"begin1": "", "create1": "rollback1", "delete1": "rollback1", "update": "rollback1", "validate1": "rollback1",
		"commit1": "rollback1",
		"persist": "rollback1", "rollback1": "", "changed1": "", "subscriber": "changed1",
	}
	for step, want := range rollbacks {
		s := newScripted(t)
		defer s.m.Subscribe(func(dm.Batch) { _ = s.step("subscriber") })()
		before := dump(t, s.m.Snapshot())
		s.panics = step
		if step == "rollback1" {
			s.fail["commit1"] = errors.New("boom")
		}
		func() {
			defer func() {
				if r := recover(); r != step {
					t.Errorf("%s: the panic is %v", step, r)
				}
			}()
			switch step {
			case "create1":
				_ = create(s.m, dm.Server(1), 33001, []dm.InstanceID{8})
			case "delete1":
				_ = del(s.m, dm.Server(1), dm.InstancePath(33001, 0))
			default:
				_ = s.objects[0].Update(t.Context(), 0,
					func(m *meter) error { m.Level.Set(3); return s.step("update") })
			}
			t.Errorf("%s: no panic", step)
		}()
		_, after, _ := strings.Cut(s.take(), step)
		if got := strings.TrimSpace(after); got != want {
			t.Errorf("%s panicked: then ran %q, want %q", step, got, want)
		}
		published := step == "changed1" || step == "subscriber"
		if got := changes(before, dump(t, s.m.Snapshot())); (got != "") != published {
			t.Errorf("%s panicked, and this changed:\n%s", step, got)
		}
		s.panics = ""
		clear(s.fail)
		if tx, ok := s.m.TryBegin(t.Context(), dm.Application); !ok {
			t.Errorf("%s panicked and the slot is kept", step)
		} else {
			tx.Rollback()
		}
	}
}

// The other Rollback hooks run if one of them panics.
func TestPanickingRollbackAmongOthers(t *testing.T) {
	s := newScripted(t)
	s.fail["commit3"], s.panics = errors.New("boom"), "rollback1"
	func() {
		defer func() { _ = recover() }()
		_ = s.writeAll(dm.Server(1))
	}()
	if got := s.take(); !strings.HasSuffix(got, "rollback3 rollback1 rollback2") {
		t.Errorf("the hooks ran as %s", got)
	}
	if tx, ok := s.m.TryBegin(t.Context(), dm.Application); !ok {
		t.Error("the slot is kept")
	} else {
		tx.Rollback()
	}
}
