package connectivity

import (
	"context"
	"time"

	"github.com/lwm2mgen/toolkit/generated/apnconnectionprofile"
	"github.com/lwm2mgen/toolkit/generated/cellularconnectivity"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
)

// CellularInstance is the instance of the Cellular Connectivity object.
type CellularInstance = cellularconnectivity.Instance

// CellularConfig is the configuration of NewCellular.
type CellularConfig struct {
	// Instance holds the settings that the modem has. A resource that you leave out does not exist,
	// except for what the other fields add.
	Instance CellularInstance
	// Profiles is the object whose connected profiles Activated Profile Names (/10/0/11) lists. The
	// zero value means that Instance has the links, or that there are none.
	Profiles *APN
	// Configure applies the settings to the modem. It is called by NewCellular, and at Commit when
	// a server changes the instance, with the instance as it will be; and again with the previous
	// one if the change is rolled back. An error refuses the change. If the network grants other
	// timers than those that a server has written, store them later with the object's Update, which
	// does not call Configure. The zero value means that nothing is called.
	Configure func(ctx context.Context, i *CellularInstance) error
	// DisableRadio leaves the mobile network for a while, because a server has written /10/0/1. It
	// is called after the server has its response, and must not wait. The zero value means that the
	// resource exists only if Instance has it.
	DisableRadio func(ctx context.Context, d time.Duration)
	// Hooks run in addition to the hooks of this package. The zero value means none.
	Hooks cellularconnectivity.Hooks
}

// NewCellular returns the Cellular Connectivity object (10) with its instance. Its Validate hook
// refuses with 4.00 an active power saving mode that /10/0/12 does not list, negative timers, eDRX
// parameters of more than one octet, and links to anything but APN Connection Profiles (11).
func NewCellular(c CellularConfig) (*cellularconnectivity.Object, error) {
	inst := c.Instance
	if c.Profiles != nil {
		inst.ActivatedProfileNames = dm.FuncMulti(c.Profiles.links)
	} else if !inst.ActivatedProfileNames.Supported() {
		inst.ActivatedProfileNames = dm.Links()
	}
	if c.DisableRadio != nil && !inst.DisableRadioPeriod.Supported() {
		inst.DisableRadioPeriod = dm.Int(0)
	}
	own := cellularconnectivity.Hooks{}
	if c.Configure != nil {
		own = behaviour.Apply(func(ctx context.Context, _ dm.InstanceID, i *CellularInstance) error {
			if i == nil { // the instance does not exist yet
				return nil
			}
			return c.Configure(ctx, i)
		})
	}
	own = behaviour.Join(own, cellularconnectivity.Hooks{Validate: validateCellular, Changed: c.disableRadio})
	o, err := cellularconnectivity.New(cellularconnectivity.Config{Hooks: behaviour.Join(own, c.Hooks)})
	return behaviour.Single(o, err, inst)
}

// disableRadio is the Changed hook: the server has its response.
func (c CellularConfig) disableRadio(ctx context.Context, tx *cellularconnectivity.Tx) {
	// A value that is restored from a store is no order.
	if _, byServer := tx.Origin().ShortServerID(); c.DisableRadio == nil || !byServer {
		return
	}
	for ch := range tx.Changes() {
		if minutes := ch.New.DisableRadioPeriod.Or(0); minutes > 0 && ch.Wrote(cellularconnectivity.DisableRadioPeriodID) {
			c.DisableRadio(ctx, time.Duration(minutes)*time.Minute)
		}
	}
}

func validateCellular(_ context.Context, tx *cellularconnectivity.Tx) error {
	for c := range tx.Changes() {
		i := c.New
		supported, known := i.SupportedPowerSavingModes.Get()
		if active := i.ActivePowerSavingModes.Or(0); known && active&^supported != 0 {
			return refuse(cellularconnectivity.ObjectID, c.ID, cellularconnectivity.ActivePowerSavingModesID,
				"power saving modes %#b: the modem has %#b", active, supported)
		}
		for id, timer := range map[dm.ResourceID]dm.Res[int64]{
			cellularconnectivity.PSMTimerID: i.PSMTimer, cellularconnectivity.ActiveTimerID: i.ActiveTimer,
		} {
			if v := timer.Or(0); v < 0 {
				return refuse(cellularconnectivity.ObjectID, c.ID, id, "%d seconds: a time must not be negative", v)
			}
		}
		for id, r := range map[dm.ResourceID]dm.Res[[]byte]{
			cellularconnectivity.EDRXParametersForIuModeID:   i.EDRXParametersForIuMode,
			cellularconnectivity.EDRXParametersForWBS1ModeID: i.EDRXParametersForWBS1Mode,
			cellularconnectivity.EDRXParametersForNBS1ModeID: i.EDRXParametersForNBS1Mode,
			cellularconnectivity.EDRXParametersForAGbModeID:  i.EDRXParametersForAGbMode,
		} {
			if v := r.Or(nil); len(v) > 1 {
				return refuse(cellularconnectivity.ObjectID, c.ID, id,
					"%d octets: eDRX parameters are octet 3 of 3GPP TS 24.008 §10.5.5.32", len(v))
			}
		}
		for _, link := range i.ActivatedProfileNames.All() {
			if link.Object != apnconnectionprofile.ObjectID {
				return refuse(cellularconnectivity.ObjectID, c.ID, cellularconnectivity.ActivatedProfileNamesID,
					"the link %v: it must lead to an instance of object 11", link)
			}
		}
	}
	return nil
}
