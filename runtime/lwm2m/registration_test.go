package lwm2m_test

import (
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// An Update whose response is lost may have reached the server. The next Update says everything, so
// that a change which was taken back in the meantime does not stay with the server.
func TestLostUpdateSaysEverythingAgain(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		c := w.start(w.config())
		srv := w.servers[0]
		srv.next()
		w.wantState(1, lwm2m.StateRegistered)
		srv.silent()
		w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(50))
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f?lt=50" {
			t.Fatalf("got %v, want the Update", r)
		}
		w.wantState(1, lwm2m.StateUpdating)
		c.Suspend()
		w.wantState(1, lwm2m.StateSuspended)
		w.update(dm.ResourcePath(1, 0, 1), dm.IntegerValue(3600))
		srv.answers(nil)
		c.Resume()
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f?lt=3600&b=U" || r.body != links12 {
			t.Errorf("got %v with %q, want an Update with everything", r, r.body)
		}
		w.wantState(1, lwm2m.StateRegistered)
		if err := c.Update(1); err != nil {
			t.Fatal(err)
		}
		if r := srv.within(time.Second); r.String() != "POST /rd/5a3f" || r.body != "" {
			t.Errorf("got %v with %q, want a bare Update", r, r.body)
		}
	})
}
