package manage

import (
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// A refused request is logged with its reason at level Debug, without Config.Logger to the default
// logger.
func TestRefusalsAreLogged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		r.peers[0].do(to("GET /3/0/99"))
		if log := r.log.String(); strings.Count(log, "\n") != 1 || !strings.Contains(log, "server=1") ||
			!strings.Contains(log, "path=/3/0/99") {
			t.Errorf("logged %q", log)
		}
		o := device12
		o.config = func(c *Config) { c.Logger = nil }
		if got := newRig(t, o).peers[0].do(to("GET /3/0/99")); got.code != coap.NotFound {
			t.Errorf("without a logger it is %v", got.code)
		}
	})
}

func TestVersionChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		for v, want := range map[registry.Version]content.Format{
			registry.V(1, 0): content.TLV, registry.V(1, 1): content.SenMLCBOR, registry.V(1, 2): content.SenMLCBOR,
			{}: content.TLV,
		} {
			r.peers[0].peer.SetVersion(v)
			if got := r.peers[0].do(to("GET /3/0/0")); got.format() != want {
				t.Errorf("LwM2M %v: %v, want %v", v, got.format(), want)
			}
		}
	})
}
