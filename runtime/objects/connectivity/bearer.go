package connectivity

import (
	"context"

	"github.com/lwm2mgen/toolkit/generated/bearerselection"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
)

// BearerInstance is the instance of the Bearer Selection object.
type BearerInstance = bearerselection.Instance

// BearerSelectionConfig is the configuration of NewBearerSelection.
type BearerSelectionConfig struct {
	// Instance holds the settings that the device supports. Preferred Communications Bearer exists
	// in any case. The zero value means nothing else.
	Instance BearerInstance
	// Select chooses the bearer. preferred is Preferred Communications Bearer in its order, the
	// most wanted first, with the constants of generated/bearerselection; without any the device
	// chooses. settings are the other resources. Select is called by NewBearerSelection, and at
	// Commit when a server changes the instance, and again with the previous one if the change is
	// rolled back. The program's own Update does not call it. An error refuses the change. It must
	// not wait, and the server has no response yet: switch a little later. The zero value means
	// that nothing is called.
	Select func(ctx context.Context, preferred []int64, settings *BearerInstance) error
	// Hooks run in addition to the hooks of this package. The zero value means none.
	Hooks bearerselection.Hooks
}

// NewBearerSelection returns the Bearer Selection object (13) with its instance.
func NewBearerSelection(c BearerSelectionConfig) (*bearerselection.Object, error) {
	inst := c.Instance
	if !inst.PreferredCommunicationsBearer.Supported() {
		inst.PreferredCommunicationsBearer = dm.Ints()
	}
	cfg := bearerselection.Config{Hooks: c.Hooks}
	if c.Select != nil {
		cfg.Hooks = behaviour.Join(behaviour.Apply(c.apply), c.Hooks)
	}
	o, err := bearerselection.New(cfg)
	return behaviour.Single(o, err, inst)
}

func (c BearerSelectionConfig) apply(ctx context.Context, _ dm.InstanceID, i *BearerInstance) error {
	if i == nil { // the instance does not exist yet
		return nil
	}
	var preferred []int64
	for _, bearer := range i.PreferredCommunicationsBearer.All() {
		preferred = append(preferred, bearer)
	}
	return c.Select(ctx, preferred, i)
}
