package docs_test

import (
	"context"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/advancedfirmware"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// The functions of docs/components.md and of the package are compiled and never called.
var _ = []any{packageAdvancedfirmware, newComponents, (*gatewayBoard).Verify, (*gatewayBoard).Install, dependencies}

// version is something that knows its version.
type version struct{}

func (version) Version() string { return "" }

// gatewayBoard is a device with an application and a modem.
type gatewayBoard struct{}

func (*gatewayBoard) Runs(*advancedfirmware.Image) bool                       { return false }
func (*gatewayBoard) checkSignature(*advancedfirmware.Image) (string, error)  { return "", nil }
func (*gatewayBoard) writeInactivePartition(*advancedfirmware.Image) error    { return nil }
func (*gatewayBoard) switchPartitions(images []*advancedfirmware.Image) error { return nil }

func (b *gatewayBoard) Verify(ctx context.Context, image *advancedfirmware.Image) error {
	version, err := b.checkSignature(image)
	image.Version = version
	return err
}

func (b *gatewayBoard) Install(ctx context.Context, images []*advancedfirmware.Image) (advancedfirmware.Outcome, error) {
	for _, image := range images {
		if err := b.writeInactivePartition(image); err != nil {
			return advancedfirmware.Done, err // nothing has been replaced
		}
	}
	return advancedfirmware.Restarting, b.switchPartitions(images)
}

func newComponents(app, modem version, appFile, modemFile *download.File, client *download.Client, state store.Store, board *gatewayBoard) (*advancedfirmware.Updater, error) {
	update, err := advancedfirmware.New(advancedfirmware.Config{
		Components: []advancedfirmware.Component{
			{
				Name: "application", Version: app.Version, Storage: appFile,
				Downloader: pull.New(client, download.Records{Store: state, Name: "download/application"}),
			},
			{
				Name: "modem", Version: modem.Version, Storage: modemFile,
				Downloader: pull.New(client, download.Records{Store: state, Name: "download/modem"}),
			},
		},
		Installer:    board,
		Store:        state,
		Installed:    board.Runs,
		Dependencies: dependencies,
	})
	if err != nil {
		return nil, err
	}
	return update, nil
}

func dependencies(image *advancedfirmware.Image, others []*advancedfirmware.Image) (d advancedfirmware.Dependencies) {
	if image.Component != 0 || image.Version < "2.0" {
		return d
	}
	// The application needs the modem from version 2.0 on.
	for _, other := range others {
		if other.Component == 1 {
			d.Linked = append(d.Linked, 1)
			return d
		}
	}
	d.Conflicting = append(d.Conflicting, 1)
	return d
}

// packageAdvancedfirmware is the code in the comment of the package.
func packageAdvancedfirmware(app, modem version, appFile, modemFile *download.File, board *gatewayBoard, state store.Store, dev dm.Object) error {
	update, err := advancedfirmware.New(advancedfirmware.Config{
		Components: []advancedfirmware.Component{
			{Name: "application", Version: app.Version, Storage: appFile},
			{Name: "modem", Version: modem.Version, Storage: modemFile},
		},
		Installer: board, // Verify and Install
		Store:     state, // of package store
		Installed: board.Runs,
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
