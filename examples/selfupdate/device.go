package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"path/filepath"
	"time"

	values "github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// leaveTime is how long the response to Update and the notification of the state Updating have to
// leave, before the device ends for a new program.
const leaveTime = time.Second

var (
	logger  = slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	dialers = []socket.Dialer{udp.Dialer{}, dtls.Dialer{}, tcp.Dialer{}}
)

// live is the device in its normal life. The exit code is exitStaged if a candidate is staged.
func (c *config) live(ctx context.Context, p program) (code int, err error) {
	state, err := store.OpenDir(filepath.Join(c.dir, "state"), store.Config{Logger: logger})
	if err != nil {
		return 1, err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	file, err := download.OpenFile(filepath.Join(c.dir, "image"))
	if err != nil {
		return 1, err
	}
	defer file.Close()
	downloads, err := download.New(download.Config{
		Dialers:  dialers,
		Security: func(*url.URL) (socket.Security, error) { return c.security(), nil },
		Logger:   logger,
	})
	if err != nil {
		return 1, err
	}
	defer downloads.Close()
	i, err := newInstaller(p, c)
	if err != nil {
		return 1, err
	}
	update, err := firmwareupdate.New(firmwareupdate.Config{
		Installer:  i,
		Storage:    newMeter(file, os.Stdout),
		Store:      state,
		Downloader: pull.New(downloads, download.Records{Store: state, Name: "download"}),
		Installed:  i.runs,
		Changed:    showUpdate,
		Logger:     logger,
	})
	if err != nil {
		return 1, err
	}
	defer update.Close()
	client, err := c.client(state, update, func(s lwm2m.ServerStatus) {
		if s.State == lwm2m.StateRegistered {
			fmt.Printf("device: version %s is registered with %s\n", version, s.URI)
		}
	})
	if err != nil {
		return 1, err
	}
	ended := make(chan error, 1)
	go func() { ended <- client.Run(context.Background()) }()
	select {
	case <-i.staged:
		code = exitStaged
		select {
		case <-time.After(leaveTime):
		case <-ctx.Done():
		}
	case <-ctx.Done():
	case err := <-ended:
		return 1, err
	}
	client.Detach() // the next process goes on with the registration
	return code, <-ended
}

// showUpdate prints what servers can read of the update.
func showUpdate(s firmwareupdate.Status) {
	fmt.Printf("device: update state %d, result %d\n", s.State, s.Result)
}

// prove is the device on probation. It goes on with the registration of the old program, or
// registers, and then confirms that it works.
func (c *config) prove(ctx context.Context, token string) (err error) {
	state, err := store.OpenDir(filepath.Join(c.dir, "state"), store.Config{Logger: logger})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, state.Close()) }()
	update, err := updatingObject()
	if err != nil {
		return err
	}
	registered := make(chan struct{}, 1)
	client, err := c.client(state, update, func(s lwm2m.ServerStatus) {
		if s.State == lwm2m.StateRegistered {
			select {
			case registered <- struct{}{}:
			default:
			}
		}
	})
	if err != nil {
		return err
	}
	ended := make(chan error, 1)
	go func() { ended <- client.Run(context.Background()) }()
	select {
	case <-registered:
		client.Detach() // the next process goes on with the registration
		err = <-ended
	case <-ctx.Done():
		client.Detach()
		err = errors.Join(errors.New("the probation has ended before the device has registered"), <-ended)
	case err = <-ended:
		err = errors.Join(errors.New("the device has ended before it has registered"), err)
	}
	if err != nil {
		return err
	}
	fmt.Printf("device: version %s has registered\n", version)
	return os.WriteFile(c.confirmation(), []byte(token), 0o600)
}

// updatingObject returns a Firmware Update object that stays in the state Updating. On probation it
// takes the place of the real one, which would decide at once whether the update has succeeded.
func updatingObject() (*values.Object, error) {
	errOnProbation := dm.Errorf(dm.MethodNotAllowed, "a new program is on probation")
	object, err := values.New(values.Config{Hooks: values.Hooks{
		Validate: func(_ context.Context, tx *values.Tx) error {
			if tx.Origin() == dm.Application {
				return nil
			}
			return errOnProbation
		},
	}})
	if err != nil {
		return nil, err
	}
	return object, object.Add(0, values.Instance{
		Package:    dm.SinkFunc(func(context.Context) (dm.Sink, error) { return nil, errOnProbation }),
		PackageURI: dm.Str(""), Update: func(context.Context, dm.Args) error { return errOnProbation },
		State: dm.Int(values.StateUpdating), UpdateResult: dm.Int(values.UpdateResultInitial),
		FirmwareUpdateProtocolSupport: dm.EmptyMulti[int64](),
		FirmwareUpdateDeliveryMethod:  dm.Int(values.FirmwareUpdateDeliveryMethodBoth),
	})
}

// client makes the LwM2M client with a Firmware Update object.
func (c *config) client(state store.Store, update dm.Object, onStatus func(lwm2m.ServerStatus)) (*lwm2m.Client, error) {
	dev, err := device.New(device.Config{Instance: device.Instance{
		Manufacturer: dm.Str("Example"), FirmwareVersion: dm.Str(version),
	}})
	if err != nil {
		return nil, err
	}
	return lwm2m.New(lwm2m.Config{
		Endpoint: c.endpoint,
		Servers:  []lwm2m.Server{c.account},
		Objects:  []dm.Object{dev, update},
		Store:    state,
		Dialers:  dialers,
		Logger:   logger,
		OnStatus: onStatus,
	})
}
