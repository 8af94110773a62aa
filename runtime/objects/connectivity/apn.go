package connectivity

import (
	"context"
	"sync"
	"time"

	"github.com/lwm2mgen/toolkit/generated/apnconnectionprofile"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
)

// APNInstance is one profile of the APN Connection Profile object.
type APNInstance = apnconnectionprofile.Instance

// APNConfig is the configuration of NewAPN.
type APNConfig struct {
	// Configure gives a profile to the modem. It is called at Commit with each profile that is
	// added or that a server changes, and with nil for a deleted one; and again with the previous
	// profile if the change is rolled back. The program's own Update does not call it. An error
	// refuses the change. It must not wait for a connection: report that later with Connected. The
	// zero value means that nothing is called.
	Configure func(ctx context.Context, id dm.InstanceID, profile *APNInstance) error
	// MaxInstances is how many profiles there may be when a server creates one. The zero value
	// means 8.
	MaxInstances int
	// Hooks run in addition to the hooks of this package. The zero value means none.
	Hooks apnconnectionprofile.Hooks
}

// APN is the APN Connection Profile object (11) together with its connections. It is an object for
// lwm2m.Config.Objects. Its methods may be called from any goroutine.
type APN struct {
	*apnconnectionprofile.Object

	mu          sync.Mutex
	connections map[dm.InstanceID]connection
}

// connection is the last connection of a profile.
type connection struct {
	slot   dm.ResourceInstanceID // in the resources 9 to 12
	active bool
}

// slots is how many connections the resources 9 to 12 of a profile record.
const slots = 4

// NewAPN returns the object without profiles. Add those that the device starts with; servers may
// create more, which start as APNTemplate. Its Validate hook refuses with 4.00 an unknown
// authentication type or PDN type, a malformed Reconnect Schedule or Validity, and an APN beside
// Auto select APN by device.
func NewAPN(c APNConfig) (*APN, error) {
	if c.MaxInstances == 0 {
		c.MaxInstances = 8
	}
	a := &APN{connections: map[dm.InstanceID]connection{}}
	own := apnconnectionprofile.Hooks{}
	if c.Configure != nil {
		own = behaviour.Apply(c.Configure)
	}
	own = behaviour.Join(own, apnconnectionprofile.Hooks{Validate: validateAPN, Changed: a.onChanged})
	o, err := apnconnectionprofile.New(apnconnectionprofile.Config{
		Hooks: behaviour.Join(own, c.Hooks), Template: APNTemplate(), MaxInstances: c.MaxInstances,
	})
	if err != nil {
		return nil, err
	}
	a.Object = o
	return a, nil
}

// APNTemplate returns what a profile that a server creates starts with: the settings of a
// connection, disabled and without authentication, and the record of its connections.
func APNTemplate() APNInstance {
	return APNInstance{
		ProfileName:                        dm.Empty[string](),
		APN:                                dm.Empty[string](),
		AutoSelectAPNByDevice:              dm.Empty[bool](),
		EnableStatus:                       dm.Bool(false),
		AuthenticationType:                 dm.Int(apnconnectionprofile.AuthenticationTypeNone),
		UserName:                           dm.Empty[string](),
		Secret:                             dm.Empty[dm.SecretString](),
		ReconnectSchedule:                  dm.Empty[string](),
		Validity:                           dm.Strs(),
		ConnectionEstablishmentTime:        dm.Times(),
		ConnectionEstablishmentResult:      dm.Ints(),
		ConnectionEstablishmentRejectCause: dm.Ints(),
		ConnectionEndTime:                  dm.Times(),
		PDNType:                            dm.Empty[int64](),
	}
}

// Connected records that a connection with the profile was established now. Activated Profile Names
// of a Cellular Connectivity object lists the profile from then on. Connected waits for other
// transactions until ctx ends.
func (a *APN) Connected(ctx context.Context, id dm.InstanceID) error {
	return a.established(ctx, id, apnconnectionprofile.ConnectionEstablishmentResultAccepted, 0)
}

// Rejected records that the network has rejected a connection with the profile now, with a cause of
// 3GPP TS 24.008 or TS 24.301. Rejected waits for other transactions until ctx ends.
func (a *APN) Rejected(ctx context.Context, id dm.InstanceID, cause int64) error {
	return a.established(ctx, id, apnconnectionprofile.ConnectionEstablishmentResultRejected, cause)
}

func (a *APN) established(ctx context.Context, id dm.InstanceID, result, cause int64) error {
	var c connection
	err := a.Update(ctx, id, func(i *APNInstance) error {
		c = connection{nextSlot(i), result == apnconnectionprofile.ConnectionEstablishmentResultAccepted}
		i.ConnectionEstablishmentTime.Set(c.slot, time.Now())
		i.ConnectionEstablishmentResult.Set(c.slot, result)
		i.ConnectionEstablishmentRejectCause.Delete(c.slot)
		i.ConnectionEndTime.Delete(c.slot)
		if !c.active {
			i.ConnectionEstablishmentRejectCause.Set(c.slot, cause)
		}
		return nil
	})
	if err == nil {
		a.mu.Lock()
		a.connections[id] = c
		a.mu.Unlock()
	}
	return err
}

// nextSlot returns the first free slot, or that of the oldest connection.
func nextSlot(i *APNInstance) (slot dm.ResourceInstanceID) {
	var oldest time.Time
	for s := range dm.ResourceInstanceID(slots) {
		at, ok := i.ConnectionEstablishmentTime.Get(s)
		if !ok {
			return s
		}
		if s == 0 || at.Before(oldest) {
			slot, oldest = s, at
		}
	}
	return slot
}

// Disconnected records that the connection with the profile has ended. Without a connection it does
// nothing. Disconnected waits for other transactions until ctx ends.
func (a *APN) Disconnected(ctx context.Context, id dm.InstanceID) error {
	a.mu.Lock()
	c := a.connections[id]
	a.connections[id] = connection{slot: c.slot}
	a.mu.Unlock()
	if !c.active {
		return nil
	}
	return a.Update(ctx, id, func(i *APNInstance) error {
		i.ConnectionEndTime.Set(c.slot, time.Now())
		return nil
	})
}

// onChanged ends the connections of profiles that were disabled or deleted.
func (a *APN) onChanged(ctx context.Context, tx *apnconnectionprofile.Tx) {
	for id := range tx.Deleted() {
		a.mu.Lock()
		delete(a.connections, id)
		a.mu.Unlock()
	}
	for c := range tx.Changes() {
		if enabled, ok := c.New.EnableStatus.Get(); ok && !enabled {
			// An error leaves the end time out, nothing else.
			_ = a.Disconnected(ctx, c.ID)
		}
	}
}

// links returns the connected profiles, by their instance IDs.
func (a *APN) links(context.Context) (map[dm.ResourceInstanceID]dm.ObjectLink, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	links := map[dm.ResourceInstanceID]dm.ObjectLink{}
	for id, c := range a.connections {
		if _, exists := a.Get(id); exists && c.active {
			links[dm.ResourceInstanceID(id)] = dm.ObjectLink{Object: apnconnectionprofile.ObjectID, Instance: id}
		}
	}
	return links, nil
}
