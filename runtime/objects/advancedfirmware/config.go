package advancedfirmware

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

type (
	// Storage holds one image. A *download.File is a Storage.
	Storage = firmwareupdate.Storage
	// Downloader downloads an image from a Package URI. Package firmwareupdate/pull has one.
	Downloader = firmwareupdate.Downloader
	// Outcome is the outcome of Installer.Install.
	Outcome = firmwareupdate.Outcome
)

// The outcomes of Installer.Install.
const (
	// Done means that the new firmware is running: the Update Result is Success.
	Done = firmwareupdate.Done
	// Restarting means that the device restarts to run the new firmware. The state stays Updating.
	// After the restart Config.Installed says whether the installation has succeeded.
	Restarting = firmwareupdate.Restarting
)

// Component is a part of the device with firmware of its own. Its place in Config.Components is the
// ID of its instance: the first one, which should be the main component, is instance 0.
type Component struct {
	// Name is what people and programs know the component by, such as "bootloader". Required.
	Name string
	// Version returns the version that is running. It must return quickly. Required.
	Version func() string
	// Storage holds the image of the component. Required.
	Storage Storage
	// Downloader downloads from Package URI. Components download at the same time, so each needs
	// records of its own. The zero value means that a server can only push.
	Downloader Downloader
}

// Installer is the part of an update that depends on the device. Its methods run on goroutines of
// their own: Verify for one image of a component at a time, Install for one installation at a time.
// They return soon after ctx has ended, which is when a server cancels the update (Verify only) or
// when the Updater is closed. A method that ends its goroutine by runtime.Goexit has failed.
type Installer interface {
	// Verify checks a complete image: its type, its checksum, its signature. It may set Name,
	// Version and Components of the image. An error discards the image; Fail chooses the Update
	// Result, IntegrityCheckFailed is that of other errors.
	Verify(ctx context.Context, image *Image) error
	// Install installs the images together: it replaces all of these components, or none of them.
	// The first one is that on which the server has executed Update. The states Updating are
	// durable before Install is called. After an error the images stay for another attempt, unless
	// Fail names IntegrityCheckFailed or UnsupportedPackageType; the Update Result of other errors
	// is UpdateFailed. An image that updates several components is in the list once for each of
	// them.
	Install(ctx context.Context, images []*Image) (Outcome, error)
}

// Image is a complete image. Read it through the SectionReader.
type Image struct {
	*io.SectionReader
	// Component is the instance that the image updates.
	Component dm.InstanceID
	// Components are the other instances that the same image updates. Verify sets them. If one of
	// them has an update of its own, the image is refused with the result ConflictingState. The
	// zero value means that the image is for Component only.
	Components []dm.InstanceID
	// URI is where the image was downloaded from. The zero value means that a server has pushed it.
	URI string
	// Severity is what the server says about the update: one of the Severity constants of
	// generated/advancedfirmwareupdate.
	Severity int64
	// Name and Version are those of the package. Verify sets them. The zero value means unknown.
	Name, Version string
}

// Dependencies is what the installation of an image needs.
type Dependencies struct {
	// Linked are the components that are installed together with the image, of those that have an
	// image, too. Servers read them as Linked Instances (/33629/x/16).
	Linked []dm.InstanceID
	// Conflicting are the components that have to be updated before the image or together with it,
	// and have no fitting image. Then Update ends with the result DependencyError, and servers
	// read them as Conflicting Instances (/33629/x/17).
	Conflicting []dm.InstanceID
}

// Status is what servers read of the update of a component.
type Status struct {
	Component dm.InstanceID
	State     int64 // one of the State constants of generated/advancedfirmwareupdate
	Result    int64 // one of the UpdateResult constants of generated/advancedfirmwareupdate
}

// Config is the configuration of New. Its functions may be called on any goroutine and must not
// call methods of the Updater.
type Config struct {
	// Components are the parts of the device that can be updated. Required.
	Components []Component
	// Installer verifies and installs images. Required.
	Installer Installer
	// Store keeps the states over restarts and losses of power. It may be that of lwm2m.Config; do
	// not list the object in lwm2m.Config.StoredObjects, which would restore older states. The zero
	// value means that a restart forgets the updates: use it only if installing does not restart
	// the device.
	Store store.Store
	// Record is the beginning of the names of the records in Store; a slash and the ID of the
	// instance follow. The zero value means "advancedfirmware".
	Record string
	// Installed reports, after a restart in the state Updating, whether the firmware of the image
	// is the one that is running. New calls it. The zero value means that the installation is
	// reported as failed.
	Installed func(image *Image) bool
	// Dependencies returns what an image needs, if the others could be installed together with it.
	// It is called when a server executes Update and when states change, and must return quickly.
	// The zero value means that each component can be updated alone.
	Dependencies func(image *Image, others []*Image) Dependencies
	// NoPush refuses images that are written to Package. The zero value means that servers can
	// push.
	NoPush bool
	// MaxSize bounds the size of a pushed image in bytes. The zero value means no bound.
	MaxSize int64
	// Ask reports whether the user is asked before images are installed, so that the update is
	// deferred until Updater.Approve, a Cancel, or the time until, which is zero without a limit.
	// It must return quickly. The zero value means that a server's Update installs at once.
	Ask func(images []*Image, until time.Time) bool
	// Busy reports whether another update is being installed, such as a software component. Then
	// Update is refused with 4.05. If the other one asks Updater.Installing, they never install
	// at the same time. The zero value means that there is no other kind of update.
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

// maxComponents keeps lists of instances short.
const maxComponents = 256

func (c *Config) complete() error {
	var faults []error
	if n := len(c.Components); n == 0 || n > maxComponents {
		faults = append(faults, fmt.Errorf("advancedfirmware: Config.Components has %d components, not 1 to %d", n, maxComponents))
	}
	for i, component := range c.Components {
		switch {
		case component.Name == "":
			faults = append(faults, fmt.Errorf("advancedfirmware: Config.Components[%d].Name is empty", i))
		case component.Version == nil:
			faults = append(faults, fmt.Errorf("advancedfirmware: Config.Components[%d].Version is nil", i))
		case component.Storage == nil:
			faults = append(faults, fmt.Errorf("advancedfirmware: Config.Components[%d].Storage is nil", i))
		case c.NoPush && component.Downloader == nil:
			faults = append(faults, fmt.Errorf("advancedfirmware: Config.NoPush is set and Config.Components[%d].Downloader is nil: no image could arrive", i))
		}
	}
	if c.Installer == nil {
		faults = append(faults, errors.New("advancedfirmware: Config.Installer is nil"))
	}
	if c.MaxSize < 0 {
		faults = append(faults, errors.New("advancedfirmware: Config.MaxSize is negative"))
	}
	if c.Record == "" {
		c.Record = "advancedfirmware"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return errors.Join(faults...)
}

// Fail returns an error that chooses the Update Result (/33629/x/5): one of the UpdateResult
// constants of generated/advancedfirmwareupdate, from NotEnoughStorage to UnsupportedProtocol. The
// functions of an Installer, a Storage and a Downloader return it. UpdateFailed gives way to a more
// specific result in cause.
func Fail(result int64, cause error) error { return firmwareupdate.Fail(result, cause) }
