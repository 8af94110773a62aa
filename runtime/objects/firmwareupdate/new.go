package firmwareupdate

import (
	"context"
	"slices"
	"time"

	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/firmware"
)

// New returns the object with its instance 0, and continues the update that Config.Store knows of.
// Its error names every fault of c, or says why the store cannot be used.
func New(c Config) (*Updater, error) {
	if err := c.complete(); err != nil {
		return nil, err
	}
	rec, err := load(&c)
	if err != nil {
		return nil, err
	}
	u := &Updater{cfg: c, rec: rec}
	u.ctx, u.stop = context.WithCancel(context.Background())
	actions, changed := u.restart()
	if changed {
		if err := save(&u.cfg, &u.rec); err != nil {
			return nil, err
		}
	}
	u.lastStored = u.rec
	object, err := firmwareupdate.New(firmwareupdate.Config{Hooks: u.hooks(c.Hooks)})
	if err != nil {
		return nil, err
	}
	if err := object.Add(0, u.instance()); err != nil {
		return nil, err
	}
	u.Object = object
	if len(actions) > 0 || changed {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.seq++
		u.enqueue(&step{rec: u.rec, seq: u.seq, actions: actions, stored: true, published: !changed})
	}
	return u, nil
}

// restart decides what the start of the device means for the update. It reports whether the record
// has changed.
func (u *Updater) restart() (actions []firmware.Action, changed bool) {
	before := u.rec.state()
	content := u.cfg.Storage.Content()
	f := firmware.Facts{ImageLost: before.Phase.HasImage() && content.Size() != u.rec.Size}
	if before.Phase == firmware.Updating && u.cfg.Installed != nil {
		f.RunsImage = u.cfg.Installed(&Image{SectionReader: content, URI: u.rec.URI, Severity: u.rec.Severity,
			Name: u.rec.Name, Version: u.rec.Version})
	}
	to, actions, _ := firmware.Next(before, firmware.Event{Kind: firmware.Restarted}, f)
	u.rec.Phase, u.rec.Result = to.Phase, to.Result
	if to.Phase.Resource() != before.Phase.Resource() {
		u.rec.Since = time.Now().Unix()
	}
	return actions, to != before
}

// protocols are the values of Firmware Update Protocol Support (/5/0/8).
var protocols = []struct {
	scheme string
	value  int64
}{
	{"coap", firmwareupdate.FirmwareUpdateProtocolSupportCoAP},
	{"coaps", firmwareupdate.FirmwareUpdateProtocolSupportCoAPS},
	{"http", firmwareupdate.FirmwareUpdateProtocolSupportHTTP},
	{"https", firmwareupdate.FirmwareUpdateProtocolSupportHTTPS},
	{"coap+tcp", firmwareupdate.FirmwareUpdateProtocolSupportCoAPTCP},
	{"coaps+tcp", firmwareupdate.FirmwareUpdateProtocolSupportCoAPTLS},
}

// instance returns the instance of a device in the state of the record.
func (u *Updater) instance() Instance {
	c := &u.cfg
	i := Instance{
		Package: dm.SinkFunc(u.openPackage), PackageURI: dm.Str(u.rec.URI), Update: dm.SlowExec(u.onUpdate),
		FirmwareUpdateDeliveryMethod:  dm.Int(firmwareupdate.FirmwareUpdateDeliveryMethodBoth),
		FirmwareUpdateProtocolSupport: dm.EmptyMulti[int64](),
	}
	switch {
	case c.Downloader == nil:
		i.FirmwareUpdateDeliveryMethod = dm.Int(firmwareupdate.FirmwareUpdateDeliveryMethodPush)
	case c.NoPush:
		i.FirmwareUpdateDeliveryMethod = dm.Int(firmwareupdate.FirmwareUpdateDeliveryMethodPull)
	}
	if c.Downloader != nil {
		var values []int64
		schemes := c.Downloader.Schemes()
		for _, p := range protocols {
			if slices.Contains(schemes, p.scheme) {
				values = append(values, p.value)
			}
		}
		i.FirmwareUpdateProtocolSupport = dm.List(values...)
	}
	if !c.Basic {
		i.Cancel = dm.SlowExec(u.onCancel)
		i.Severity = dm.Int(u.rec.Severity)
		i.LastStateChangeTime = dm.Empty[time.Time]()
		i.MaximumDeferPeriod = dm.Empty[uint64]()
		if u.rec.MaxDefer != nil {
			i.MaximumDeferPeriod = dm.Uint(*u.rec.MaxDefer)
		}
		i.AutomaticUpgradeAtDownload = dm.Bool(u.rec.Automatic)
	}
	u.rec.publish(&i, c)
	return i
}
