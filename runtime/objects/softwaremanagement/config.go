package softwaremanagement

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

type (
	// Storage holds one package. A *download.File is a Storage.
	Storage = firmwareupdate.Storage
	// Downloader downloads a package from a Package URI. Package firmwareupdate/pull has one.
	Downloader = firmwareupdate.Downloader
	// Outcome is the outcome of Installer.Install.
	Outcome = firmwareupdate.Outcome
)

// The outcomes of Installer.Install.
const (
	// Done means that the software is installed: the Update State is Installed.
	Done = firmwareupdate.Done
	// Restarting means that the device restarts to end the installation. The Update State stays
	// Delivered. After the restart Config.Installed says whether the installation has succeeded.
	Restarting = firmwareupdate.Restarting
)

// Software is what a component of the device consists of.
type Software struct {
	// Component is the instance.
	Component dm.InstanceID
	// Name and Version are those that Installer.Verify has set. The zero value means unknown.
	Name, Version string
}

// Package is a complete package. Read it through the SectionReader.
type Package struct {
	*io.SectionReader
	// Software is what the package contains. Verify sets Name and Version.
	Software
	// URI is where the package was downloaded from. The zero value means that a server has pushed
	// it.
	URI string
	// Replaces is the software that the last Uninstall has left on the device for an update. nil
	// means that there is none.
	Replaces *Software
}

// Component is a place for software. Its place in Config.Components is the ID of its instance.
type Component struct {
	// Storage holds the package of the component until it is installed. Required.
	Storage Storage
	// Downloader downloads from Package URI. Components download at the same time, so each needs
	// records of its own. The zero value means that a server can only push.
	Downloader Downloader
	// Shipped is the software that comes with the program. A component without a record in
	// Config.Store begins with it, installed and active. When a later version of the program ships
	// another version, servers read that name and version, unless a server has replaced or removed
	// the software. Shipped.Component is ignored. The zero value means that the component begins
	// empty; it changes no record.
	Shipped Software
}

// Installer is the part of software management that depends on the device. Its methods run on
// goroutines of their own, one at a time for each component, and Install for one component at a
// time. They return soon after ctx has ended, which is when a server resets the update (Verify
// only) or when the Manager is closed. A method that ends its goroutine by runtime.Goexit has
// failed. All but Install can be called again for what is done already, because a loss of power
// leaves open whether it was done, and succeed then.
type Installer interface {
	// Verify checks a complete package: its type, its checksum, its signature. It may set Name and
	// Version, which servers then read as /9/x/0 and /9/x/1. An error discards the package; Fail
	// chooses the Update Result, IntegrityCheckFailed is that of other errors.
	Verify(ctx context.Context, p *Package) error
	// Install installs the package without activating it, in place of p.Replaces if there is such
	// software. After an error p.Replaces is as before, and the package stays for another attempt,
	// unless Fail names IntegrityCheckFailed or UnsupportedPackageType; the Update Result of other
	// errors is InstallationFailed.
	Install(ctx context.Context, p *Package) (Outcome, error)
	// Activate starts the software, and returns when it runs. It is called when a server executes
	// Activate, and after each restart for software that ran. An error leaves the software
	// inactive.
	Activate(ctx context.Context, s Software) error
	// Deactivate ends the software, and returns when it has ended. It is called when a server
	// executes Deactivate, and before Uninstall for software that runs.
	Deactivate(ctx context.Context, s Software) error
	// Uninstall removes the software, which does not run. With forUpdate it leaves the software,
	// or what the next version needs of it, on the device: the package that follows replaces it.
	// After an error the software is still installed, and the Update Result is
	// UninstallationFailed.
	Uninstall(ctx context.Context, s Software, forUpdate bool) error
}

// Status is what servers read of a component.
type Status struct {
	Component dm.InstanceID
	State     int64 // one of the UpdateState constants of generated/softwaremanagement
	Result    int64 // one of the UpdateResult constants of generated/softwaremanagement
	Active    bool  // Activation State
}

// Config is the configuration of New. Its functions may be called on any goroutine and must not
// call methods of the Manager.
type Config struct {
	// Components are the places for software. Servers can neither create nor delete any. Required.
	Components []Component
	// Installer verifies, installs, runs and removes software. Required.
	Installer Installer
	// Store keeps the states over restarts and losses of power. It may be that of lwm2m.Config; do
	// not list the object in lwm2m.Config.StoredObjects, which would restore older states. The zero
	// value means that a restart forgets what is installed.
	Store store.Store
	// Record is the beginning of the names of the records in Store; a slash and the ID of the
	// instance follow. The zero value means "softwaremanagement".
	Record string
	// Installed reports, after a restart during an installation, whether the software of the
	// package is installed completely. New calls it. The zero value means that the installation is
	// reported as failed.
	Installed func(p *Package) bool
	// NoPush leaves out the resource Package. The zero value means that servers can push.
	NoPush bool
	// MaxSize bounds the size of a pushed package in bytes. The zero value means no bound.
	MaxSize int64
	// Busy reports whether another update is being installed, such as firmware. Then Install is
	// refused with 4.05. If the other one asks Manager.Installing, they never install at the same
	// time. The zero value means that there is no other kind of update.
	Busy func() bool
	// Changed is called after servers can read a new state, also for the one that a restart leads
	// to, which may be before New has returned. It returns quickly: the next state is shown after
	// that. Pass the result to a goroutine that reports it with Client.Send. The zero value means
	// that no callback is called; observations are notified in any case.
	Changed func(Status)
	// Logger receives what no server can be told. The zero value means slog.Default().
	Logger *slog.Logger
	// Hooks run in addition to the hooks of this package. The zero value means none.
	Hooks Hooks
}

// maxComponents keeps the list short.
const maxComponents = 256

func (c *Config) complete() error {
	var faults []error
	fault := func(format string, args ...any) {
		faults = append(faults, fmt.Errorf("softwaremanagement: Config."+format, args...))
	}
	if n := len(c.Components); n == 0 || n > maxComponents {
		fault("Components has %d components, not 1 to %d", n, maxComponents)
	}
	for i, component := range c.Components {
		if component.Storage == nil {
			fault("Components[%d].Storage is nil", i)
		}
		if err := checkSoftware(component.Shipped); err != nil {
			fault("Components[%d].Shipped: %w", i, err)
		}
		if c.NoPush && component.Downloader == nil {
			fault("NoPush is set and Config.Components[%d].Downloader is nil: no package could arrive", i)
		}
	}
	if c.Installer == nil {
		fault("Installer is nil")
	}
	if c.MaxSize < 0 {
		fault("MaxSize is negative")
	}
	if c.Record == "" {
		c.Record = "softwaremanagement"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return errors.Join(faults...)
}
