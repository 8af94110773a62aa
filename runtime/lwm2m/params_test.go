package lwm2m

import (
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestCoreVersion(t *testing.T) {
	for _, c := range []struct {
		object dm.ObjectID
		v10    registry.Version
		v11    registry.Version
		v12    registry.Version
	}{
		{1, registry.V(1, 0), registry.V(1, 1), registry.V(1, 2)},
		{2, registry.V(1, 0), registry.V(1, 0), registry.V(1, 1)},
		{3, registry.V(1, 0), registry.V(1, 1), registry.V(1, 2)},
		{4, registry.V(1, 0), registry.V(1, 2), registry.V(1, 3)},
		{5, registry.V(1, 0), registry.V(1, 0), registry.V(1, 1)},
		{6, registry.V(1, 0), registry.V(1, 0), registry.V(1, 0)},
		{3303, registry.V(1, 0), registry.V(1, 0), registry.V(1, 0)},
	} {
		for enabler, want := range map[registry.Version]registry.Version{
			registry.V(1, 0): c.v10, registry.V(1, 1): c.v11, registry.V(1, 2): c.v12,
		} {
			if got := coreVersion(c.object, enabler); got != want {
				t.Errorf("object %d of LwM2M %v is %v, want %v", c.object, enabler, got, want)
			}
		}
	}
}

func TestBindingFor(t *testing.T) {
	for _, c := range []struct {
		binding  string
		queue    bool
		v10, v11 string
	}{
		{"U", false, "U", "U"}, {"U", true, "UQ", "U"}, {"UQ", false, "UQ", "U"}, {"US", true, "UQS", "US"},
		{"S", true, "SQ", "S"}, {"UQS", false, "UQS", "US"}, {"UT", true, "UQ", "UT"}, {"UT", false, "U", "UT"},
		{"UTS", false, "US", "UTS"}, {"T", true, "T", "T"}, {"", false, "", ""},
	} {
		if got := bindingFor(c.binding, c.queue, registry.V(1, 0)); got != c.v10 {
			t.Errorf("binding %q, queue mode %v in 1.0 is %q, want %q", c.binding, c.queue, got, c.v10)
		}
		if got := bindingFor(c.binding, c.queue, registry.V(1, 2)); got != c.v11 {
			t.Errorf("binding %q, queue mode %v in 1.2 is %q, want %q", c.binding, c.queue, got, c.v11)
		}
	}
}

func TestUpdateIn(t *testing.T) {
	for lifetime, want := range map[time.Duration]time.Duration{
		time.Second: time.Second / 2, 185 * time.Second: 185 * time.Second / 2,
		186 * time.Second: 93 * time.Second, 24 * time.Hour: 24*time.Hour - 93*time.Second,
	} {
		if got, ends := updateIn(lifetime, coap.Params{}); !ends || got != want {
			t.Errorf("lifetime %v: update in %v, %v, want %v", lifetime, got, ends, want)
		}
	}
	if _, ends := updateIn(0, coap.Params{}); ends {
		t.Error("a registration without end is to be updated")
	}
}
