package provision

import (
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// PurgeAccount deletes an account with its OSCORE instance, and does nothing without the account.
func TestPurgeAccount(t *testing.T) {
	for id, want := range map[dm.InstanceID]string{0: "/0/1 /21/1", 9: "/0/0 /0/1 /21/0 /21/1"} {
		inRig(t, setup{}, func(t *testing.T, r *rig) {
			tx, err := r.model.Begin(t.Context(), dm.Application)
			r.must(err)
			defer tx.Rollback()
			r.must(PurgeAccount(tx, id))
			r.must(tx.Commit())
			if got := keys(r.dump(), "/0", "/21"); got != want {
				t.Errorf("after the purge of instance %d there are %s, want %s", id, got, want)
			}
		})
	}
}
