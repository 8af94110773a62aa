package firmwareupdate

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/store"
)

// Installer is the part of an update that depends on the device. Its methods run on a goroutine of
// their own, one at a time. They return soon after ctx has ended, which is when a server cancels
// the update (Verify only) or when the Updater is closed. A method that ends its goroutine by
// runtime.Goexit has failed.
type Installer interface {
	// Verify checks the complete image: its type, its checksum, its signature. It may set Name and
	// Version of the image, which servers then read as /5/0/6 and /5/0/7. An error discards the
	// image; Fail chooses the Update Result, IntegrityCheckFailed is that of other errors.
	Verify(ctx context.Context, image *Image) error
	// Install installs the image. The state Updating is durable before Install is called. After
	// an error the image stays for another attempt, unless Fail names IntegrityCheckFailed or
	// UnsupportedPackageType; the Update Result of other errors is UpdateFailed.
	Install(ctx context.Context, image *Image) (Outcome, error)
}

// Outcome is the outcome of Installer.Install.
type Outcome uint8

// The outcomes.
const (
	// Done means that the new firmware is running: the Update Result is Success.
	Done Outcome = iota
	// Restarting means that the device restarts to run the new firmware. The state stays Updating.
	// After the restart Config.Installed says whether the installation has succeeded.
	Restarting
)

// Image is a complete image. Read it through the SectionReader.
type Image struct {
	*io.SectionReader
	// URI is where the image was downloaded from. The zero value means that a server has pushed it.
	URI string
	// Severity is what the server says about the update: one of the Severity constants of
	// generated/firmwareupdate.
	Severity int64
	// Name and Version are those of the package. Verify sets them. The zero value means unknown.
	Name, Version string
}

// Storage holds one image. A *download.File is a Storage.
type Storage interface {
	// Write appends to the image. For a push it runs on the device's loop and must be quick. Fail
	// chooses the Update Result of an error.
	io.Writer
	// Sync makes what was written durable.
	Sync() error
	// Truncate cuts the image off; 0 discards it.
	Truncate(size int64) error
	// Content returns a reader of everything that was written.
	Content() *io.SectionReader
}

// Downloader downloads an image from a Package URI.
type Downloader interface {
	// Schemes returns the schemes of the URIs that Download supports, such as "coaps".
	Schemes() []string
	// Download writes what the URI names to the storage, and returns when it is complete and
	// durable, or when ctx has ended. After a restart of the device it is called again with the
	// same URI and may continue with what the storage holds; otherwise it begins with
	// Truncate(0). Fail chooses the Update Result, ConnectionLost is that of other errors.
	Download(ctx context.Context, uri string, storage Storage) error
}

// Status is what servers read of an update.
type Status struct {
	State  int64 // one of the State constants of generated/firmwareupdate
	Result int64 // one of the UpdateResult constants of generated/firmwareupdate
}

// Config is the configuration of New. Its functions may be called on any goroutine and must not
// call methods of the Updater.
type Config struct {
	// Installer verifies and installs images. Required.
	Installer Installer
	// Storage holds the image. Required.
	Storage Storage
	// Store keeps the state of the update over restarts and losses of power. It may be that of
	// lwm2m.Config; do not list the object in lwm2m.Config.StoredObjects, which would restore an
	// older state. The zero value means that a restart forgets the update: use it only if
	// installing does not restart the device.
	Store store.Store
	// Record is the name of the record in Store. The zero value means "firmwareupdate".
	Record string
	// Installed reports, after a restart in the state Updating, whether the firmware of the image
	// is the one that is running. New calls it. The zero value means that the installation is
	// reported as failed.
	Installed func(image *Image) bool
	// Downloader downloads from Package URI. The zero value means that a server can only push.
	Downloader Downloader
	// NoPush refuses images that are written to Package. The zero value means that servers can
	// push.
	NoPush bool
	// MaxSize bounds the size of a pushed image in bytes. The zero value means no bound.
	MaxSize int64
	// Ask reports whether the user is asked before the image is installed, so that the update is
	// deferred until Updater.Approve, a Cancel, or the time until, which is zero without a limit.
	// It must return quickly. The zero value means that a server's Update installs at once.
	Ask func(image *Image, until time.Time) bool
	// Busy reports whether another update is being installed, such as a software component. Then
	// Update is refused with 4.05. If the other one asks Updater.Installing, they never install
	// at the same time. The zero value means that there is no other kind of update.
	Busy func() bool
	// Changed is called after servers can read a new state, also for the one that a restart leads
	// to, which may be before New has returned. It returns quickly: the next state is shown after
	// that. Pass the result to a goroutine that reports it with Client.Send. The zero value means
	// that no callback is called; observations are notified in any case.
	Changed func(Status)
	// Basic leaves out the resources 10 to 14, which object version 1.0 does not have. The zero
	// value means those of version 1.2.
	Basic bool
	// Logger receives what no server can be told. The zero value means slog.Default().
	Logger *slog.Logger
	// Hooks run in addition to the hooks of this package. The zero value means none.
	Hooks Hooks
}

func (c *Config) complete() error {
	var faults []error
	if c.Installer == nil {
		faults = append(faults, errors.New("firmwareupdate: Config.Installer is nil"))
	}
	if c.Storage == nil {
		faults = append(faults, errors.New("firmwareupdate: Config.Storage is nil"))
	}
	if c.NoPush && c.Downloader == nil {
		faults = append(faults, errors.New("firmwareupdate: Config.NoPush is set and Config.Downloader is nil: no image could arrive"))
	}
	if c.MaxSize < 0 {
		faults = append(faults, errors.New("firmwareupdate: Config.MaxSize is negative"))
	}
	if c.Record == "" {
		c.Record = "firmwareupdate"
	}
	if c.Logger == nil {
		c.Logger = slog.Default()
	}
	return errors.Join(faults...)
}
