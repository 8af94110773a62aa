package firmwareupdate

import (
	"context"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/firmware"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// New returns the object with its instance 0, and continues the update that Config.Store knows of.
// Its error names every fault of c, or says why the store cannot be used.
func New(c Config) (*Updater, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	u := &Updater{cfg: c}
	driver, records, resume, err := firmware.Start(u.firmware())
	if err != nil {
		return nil, fmt.Errorf("firmwareupdate: %w", err)
	}
	u.driver = driver
	own := firmware.Hooks(driver, update.Fields[Instance]{
		Object: firmwareupdate.ObjectID, Package: firmwareupdate.PackageID, PackageURI: firmwareupdate.PackageURIID,
		URI: func(i *Instance) *dm.Res[string] { return &i.PackageURI },
	}, settings, u.show)
	if u.Object, err = firmwareupdate.New(firmwareupdate.Config{Hooks: behaviour.Join(own, c.Hooks)}); err != nil {
		return nil, err
	}
	if err := u.Add(0, u.instance(records[0])); err != nil {
		return nil, err
	}
	resume()
	return u, nil
}

// firmware returns how the device updates its one component.
func (u *Updater) firmware() firmware.Config {
	c := &u.cfg
	fc := firmware.Config{
		Storage: map[dm.InstanceID]firmware.Storage{0: c.Storage},
		Store:   c.Store,
		Record:  func(dm.InstanceID) string { return c.Record },
		Verify: func(ctx context.Context, i *firmware.Image) error {
			image := imageOf(i)
			err := c.Installer.Verify(ctx, image)
			i.Name, i.Version = image.Name, image.Version
			return err
		},
		Install: func(ctx context.Context, images []*firmware.Image) (bool, error) {
			outcome, err := c.Installer.Install(ctx, imageOf(images[0]))
			if err == nil && outcome > Restarting {
				err = fmt.Errorf("unknown outcome %d of Install", outcome)
			}
			return outcome == Restarting, err
		},
		NoPush: c.NoPush, MaxSize: c.MaxSize, Busy: c.Busy,
		Publish: u.publish, Logger: c.Logger,
	}
	if c.Installed != nil {
		fc.Installed = func(i *firmware.Image) bool { return c.Installed(imageOf(i)) }
	}
	if c.Ask != nil {
		fc.Ask = func(images []*firmware.Image, until time.Time) bool { return c.Ask(imageOf(images[0]), until) }
	}
	if c.Downloader != nil {
		fc.Schemes = func(dm.InstanceID) []string { return c.Downloader.Schemes() }
		fc.Download = map[dm.InstanceID]firmware.Download{0: func(ctx context.Context, uri string, s firmware.Storage) error {
			return c.Downloader.Download(ctx, uri, s)
		}}
	}
	return fc
}

func imageOf(i *firmware.Image) *Image {
	return &Image{SectionReader: i.Content, URI: i.URI, Severity: i.Severity, Name: i.Name, Version: i.Version}
}

// instance returns the instance of a device in the state of the record.
func (u *Updater) instance(r firmware.Record) Instance {
	c := &u.cfg
	i := Instance{
		Package:                       dm.SinkFunc(func(context.Context) (dm.Sink, error) { return u.driver.Receive(0) }),
		PackageURI:                    dm.Str(r.URI),
		Update:                        dm.SlowExec(func(ctx context.Context, _ dm.Args) error { return u.driver.Update(ctx, 0, nil) }),
		FirmwareUpdateDeliveryMethod:  dm.Int(u.driver.DeliveryMethod(0)),
		FirmwareUpdateProtocolSupport: dm.List(u.driver.Protocols(0)...),
	}
	if !c.Basic {
		i.Cancel = dm.SlowExec(func(ctx context.Context, _ dm.Args) error { return u.driver.Cancel(ctx, 0) })
		i.Severity = dm.Int(r.Severity)
		i.LastStateChangeTime = dm.Empty[time.Time]()
		i.MaximumDeferPeriod = dm.Empty[uint64]()
		if r.MaxDefer != nil {
			i.MaximumDeferPeriod = dm.Uint(*r.MaxDefer)
		}
		i.AutomaticUpgradeAtDownload = dm.Bool(r.Automatic)
	}
	u.show(&i, r)
	return i
}
