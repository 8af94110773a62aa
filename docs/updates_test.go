package docs_test

import (
	"context"
	"errors"

	values "github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// The functions of docs/updates.md are compiled and never called.
var _ = []any{packageFirmwareupdate, newUpdate, pullUpdates, reportUpdates, sendResults, refuseImage, firmwareupdate.Installer(new(board))}

func newUpdate(board firmwareupdate.Installer, state store.Store, version string) (*firmwareupdate.Updater, error) {
	file, err := download.OpenFile("/var/lib/probe/firmware.new")
	if err != nil {
		return nil, err
	}
	update, err := firmwareupdate.New(firmwareupdate.Config{
		Installer: board,
		Storage:   file,
		Store:     state,
		Installed: func(image *firmwareupdate.Image) bool { return image.Version == version },
	})
	if err != nil {
		return nil, err
	}
	return update, nil
}

type board struct{}

func (b *board) checkSignature(*firmwareupdate.Image) (string, error) { return "", nil }
func (b *board) writePartition(*firmwareupdate.Image) error           { return nil }
func (b *board) restartSoon() error                                   { return nil }

func (b *board) Verify(ctx context.Context, image *firmwareupdate.Image) error {
	version, err := b.checkSignature(image)
	image.Version = version
	return err
}

func (b *board) Install(ctx context.Context, image *firmwareupdate.Image) (firmwareupdate.Outcome, error) {
	if err := b.writePartition(image); err != nil {
		return firmwareupdate.Done, err
	}
	return firmwareupdate.Restarting, b.restartSoon()
}

func pullUpdates(cfg firmwareupdate.Config, dialers []socket.Dialer, state store.Store) error {
	client, err := download.New(download.Config{Dialers: dialers})
	if err != nil {
		return err
	}
	cfg.Downloader = pull.New(client, download.Records{Store: state, Name: "download"})
	return nil
}

func reportUpdates(cfg *firmwareupdate.Config) <-chan firmwareupdate.Status {
	results := make(chan firmwareupdate.Status, 4)
	cfg.Changed = func(s firmwareupdate.Status) {
		if s.State == 0 {
			results <- s
		}
	}
	return results
}

func sendResults(ctx context.Context, client *lwm2m.Client, results <-chan firmwareupdate.Status) error {
	for range results {
		report := &lwm2m.Batch{Defer: true} // it waits until the device is registered
		report.Add(dm.ResourcePath(5, 0, 3), dm.ResourcePath(5, 0, 5))
		if _, err := client.Send(ctx, 1, report); err != nil {
			return err
		}
	}
	return nil
}

func refuseImage() error {
	return firmwareupdate.Fail(values.UpdateResultUnsupportedPackageType, errors.New("the image is for model B"))
}

// packageFirmwareupdate is the code in the comment of the package.
func packageFirmwareupdate(board firmwareupdate.Installer, file *download.File, state store.Store, version string, dev dm.Object) error {
	update, err := firmwareupdate.New(firmwareupdate.Config{
		Installer: board, // Verify and Install
		Storage:   file,  // where the image goes
		Store:     state, // of package store
		Installed: func(image *firmwareupdate.Image) bool { return version == image.Version },
	})
	if err != nil {
		return err
	}
	defer update.Close()
	client, err := lwm2m.New(lwm2m.Config{
		Objects: []dm.Object{dev, update},
	})
	if err != nil {
		return err
	}
	return client.Run(context.Background())
}
