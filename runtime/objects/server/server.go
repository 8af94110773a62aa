package server

import (
	"context"
	"time"

	"github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

type (
	// Object is the Server object with its instances.
	Object = server.Object
	// Instance is one instance of it.
	Instance = server.Instance
	// Hooks run around transactions that touch the object.
	Hooks = server.Hooks
)

// Config is the configuration of New. The zero value means the object with the behaviour of this
// package only.
type Config struct {
	// Hooks run in addition to the hooks of this package: Validate after this package's Validate,
	// and Create after the instance was copied from Template. The zero value means none.
	Hooks Hooks
	// MaxInstances is how many instances the object may have when a bootstrap server creates one.
	// The zero value means as many as there are IDs.
	MaxInstances int
}

// New returns the object without instances. Its Validate hook refuses with 4.00 what a client
// cannot use: negative times, an unknown binding, a malformed version, and two instances with the
// same Short Server ID.
func New(c Config) (*Object, error) {
	hooks := c.Hooks
	hooks.Validate = func(ctx context.Context, tx *server.Tx) error {
		if err := validate(tx); err != nil || c.Hooks.Validate == nil {
			return err
		}
		return c.Hooks.Validate(ctx, tx)
	}
	return server.New(server.Config{Hooks: hooks, Template: Template(), MaxInstances: c.MaxInstances})
}

// Template returns what an instance that a bootstrap server creates starts with. It supports every
// resource that a client of this toolkit uses, all without a value, and has the executables.
func Template() Instance {
	return Instance{
		ShortServerID:                            dm.Empty[int64](),
		Lifetime:                                 dm.Empty[int64](),
		DefaultMinimumPeriod:                     dm.Empty[int64](),
		DefaultMaximumPeriod:                     dm.Empty[int64](),
		Disable:                                  disable,
		DisableTimeout:                           dm.Empty[int64](),
		NotificationStoringWhenDisabledOrOffline: dm.Empty[bool](),
		Binding:                                  dm.Empty[string](),
		RegistrationUpdateTrigger:                triggerUpdate,
		BootstrapRequestTrigger:                  requestBootstrap,
		TLSAlertCode:                             dm.Empty[uint64](),
		LastBootstrapped:                         dm.Empty[time.Time](),
		RegistrationPriorityOrder:                dm.Empty[uint64](),
		InitialRegistrationDelayTimer:            dm.Empty[uint64](),
		RegistrationFailureBlock:                 dm.Empty[bool](),
		BootstrapOnRegistrationFailure:           dm.Empty[bool](),
		CommunicationRetryCount:                  dm.Empty[uint64](),
		CommunicationRetryTimer:                  dm.Empty[uint64](),
		CommunicationSequenceDelayTimer:          dm.Empty[uint64](),
		CommunicationSequenceRetryCount:          dm.Empty[uint64](),
		PreferredTransport:                       dm.Empty[string](),
		MuteSend:                                 dm.Empty[bool](),
		SupportedServerVersions:                  dm.Strs(),
		DefaultNotificationMode:                  dm.Empty[int64](),
	}
}
