package advancedfirmware

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/generated/advancedfirmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/firmware"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/update"
)

// New returns the object with an instance for each component, and continues the updates that
// Config.Store knows of. Its error names every fault of c, or says why the store cannot be used.
func New(c Config) (*Updater, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	u := &Updater{cfg: c}
	driver, records, resume, err := firmware.Start(u.firmware())
	if err != nil {
		return nil, fmt.Errorf("advancedfirmware: %w", err)
	}
	u.driver = driver
	own := firmware.Hooks(driver, update.Fields[Instance]{
		Object: advancedfirmwareupdate.ObjectID, Package: advancedfirmwareupdate.PackageID, PackageURI: advancedfirmwareupdate.PackageURIID,
		URI: func(i *Instance) *dm.Res[string] { return &i.PackageURI },
	}, settings, u.show)
	own.Delete = behaviour.RefuseDelete
	if u.Object, err = advancedfirmwareupdate.New(advancedfirmwareupdate.Config{Hooks: behaviour.Join(own, c.Hooks)}); err != nil {
		return nil, err
	}
	for _, id := range slices.Sorted(maps.Keys(records)) {
		if err := u.Add(id, u.instance(id, records[id])); err != nil {
			return nil, err
		}
	}
	resume()
	return u, nil
}

// firmware returns how the device updates its components.
func (u *Updater) firmware() firmware.Config {
	c := &u.cfg
	fc := firmware.Config{
		Storage:  map[dm.InstanceID]firmware.Storage{},
		Download: map[dm.InstanceID]firmware.Download{},
		Store:    c.Store,
		Record:   func(id dm.InstanceID) string { return fmt.Sprintf("%s/%d", c.Record, id) },
		Schemes:  func(id dm.InstanceID) []string { return c.Components[id].Downloader.Schemes() },
		Verify: func(ctx context.Context, i *firmware.Image) error {
			image := imageOf(i)
			err := c.Installer.Verify(ctx, image)
			i.Name, i.Version, i.Components = image.Name, image.Version, slices.Clone(image.Components)
			return err
		},
		Install: func(ctx context.Context, images []*firmware.Image) (bool, error) {
			outcome, err := c.Installer.Install(ctx, imagesOf(images))
			if err == nil && outcome > Restarting {
				err = fmt.Errorf("unknown outcome %d of Install", outcome)
			}
			return outcome == Restarting, err
		},
		NoPush: c.NoPush, MaxSize: c.MaxSize, Busy: c.Busy,
		Publish: u.publish, Logger: c.Logger,
	}
	for i, component := range c.Components {
		fc.Storage[dm.InstanceID(i)] = component.Storage
		if downloader := component.Downloader; downloader != nil {
			fc.Download[dm.InstanceID(i)] = func(ctx context.Context, uri string, s firmware.Storage) error {
				return downloader.Download(ctx, uri, s)
			}
		}
	}
	if c.Installed != nil {
		fc.Installed = func(i *firmware.Image) bool { return c.Installed(imageOf(i)) }
	}
	if c.Ask != nil {
		fc.Ask = func(images []*firmware.Image, until time.Time) bool { return c.Ask(imagesOf(images), until) }
	}
	if c.Dependencies != nil {
		fc.Dependencies = func(i *firmware.Image, others []*firmware.Image) (linked, conflicting []dm.InstanceID) {
			d := c.Dependencies(imageOf(i), imagesOf(others))
			return d.Linked, d.Conflicting
		}
	}
	return fc
}

func imageOf(i *firmware.Image) *Image {
	return &Image{SectionReader: i.Content, Component: i.Component, Components: i.Components, URI: i.URI,
		Severity: i.Severity, Name: i.Name, Version: i.Version}
}

func imagesOf(list []*firmware.Image) []*Image {
	images := make([]*Image, len(list))
	for n, i := range list {
		images[n] = imageOf(i)
	}
	return images
}

// instance returns the instance of a component in the state of its record.
func (u *Updater) instance(id dm.InstanceID, r firmware.Record) Instance {
	i := Instance{
		Package:                       dm.SinkFunc(func(context.Context) (dm.Sink, error) { return u.driver.Receive(id) }),
		PackageURI:                    dm.Str(r.URI),
		Update:                        dm.SlowExec(u.execute),
		Cancel:                        dm.SlowExec(func(ctx context.Context, a dm.Args) error { return u.driver.Cancel(ctx, a.Instance) }),
		FirmwareUpdateDeliveryMethod:  dm.Int(u.driver.DeliveryMethod(id)),
		FirmwareUpdateProtocolSupport: dm.List(u.driver.Protocols(id)...),
		Severity:                      dm.Int(r.Severity),
		LastStateChangeTime:           dm.Empty[time.Time](),
		MaximumDeferPeriod:            dm.Empty[uint64](),
		ComponentName:                 dm.Str(u.cfg.Components[id].Name),
	}
	if r.MaxDefer != nil {
		i.MaximumDeferPeriod = dm.Uint(*r.MaxDefer)
	}
	u.show(&i, r)
	u.showLinks(id, &i, r)
	return i
}

// execute executes Update. The argument 0 names the components that are installed together.
func (u *Updater) execute(ctx context.Context, a dm.Args) error {
	value, named := a.Get(0)
	if a.Len() > 1 || a.Len() == 1 && !named {
		return dm.Errorf(dm.BadRequest, "Update has no argument other than 0")
	}
	if !named {
		return u.driver.Update(ctx, a.Instance, nil)
	}
	only := []dm.InstanceID{a.Instance}
	for link := range strings.SplitSeq(value, ",") {
		if value == "" {
			break
		}
		id, err := u.parse(link)
		if err != nil {
			return err
		}
		if len(only) > maxComponents {
			return dm.Errorf(dm.BadRequest, "the argument 0 of Update has more than %d links", maxComponents)
		}
		only = append(only, id)
	}
	return u.driver.Update(ctx, a.Instance, only)
}

// parse returns the component that a link such as </33629/1> names.
func (u *Updater) parse(link string) (dm.InstanceID, error) {
	target, ok := strings.CutPrefix(link, "<")
	target, ok2 := strings.CutSuffix(target, ">")
	path, err := dm.ParsePath(target)
	if !ok || !ok2 || err != nil || path.Level() != dm.InstanceLevel || path.Object() != advancedfirmwareupdate.ObjectID {
		return 0, dm.Errorf(dm.BadRequest, "the argument 0 of Update is no list of links such as </%d/1>", advancedfirmwareupdate.ObjectID)
	}
	if int(path.Instance()) >= len(u.cfg.Components) {
		return 0, dm.Errorf(dm.BadRequest, "the argument 0 of Update names an instance that does not exist: %v", path)
	}
	return path.Instance(), nil
}
