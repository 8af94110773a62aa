package advancedfirmware_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/objects/advancedfirmware"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// gateway is a device with two components.
type gateway struct{ application, modem string }

// Verify accepts images that begin with a magic word.
func (g *gateway) Verify(_ context.Context, image *advancedfirmware.Image) error {
	magic := make([]byte, 4)
	if _, err := io.ReadFull(image, magic); err != nil || string(magic) != "GW2:" {
		return errors.New("it is no firmware of this gateway")
	}
	version, err := io.ReadAll(image)
	image.Version = string(version)
	return err
}

// Install replaces what the images are for.
func (g *gateway) Install(_ context.Context, images []*advancedfirmware.Image) (advancedfirmware.Outcome, error) {
	for _, image := range images {
		if image.Component == 1 {
			g.modem = image.Version
		} else {
			g.application = image.Version
		}
	}
	return advancedfirmware.Done, nil
}

// A gateway of which servers update the application and the modem.
func ExampleNew() {
	dir, err := os.MkdirTemp("", "gateway")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	state, err := store.OpenDir(filepath.Join(dir, "state"), store.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer state.Close()
	var images [2]*download.File
	for i := range images {
		if images[i], err = download.OpenFile(filepath.Join(dir, fmt.Sprint("image", i))); err != nil {
			fmt.Println(err)
			return
		}
		defer images[i].Close()
	}
	g := &gateway{application: "1.0", modem: "7.1"}
	update, err := advancedfirmware.New(advancedfirmware.Config{
		Components: []advancedfirmware.Component{
			{Name: "application", Version: func() string { return g.application }, Storage: images[0]},
			{Name: "modem", Version: func() string { return g.modem }, Storage: images[1]},
		},
		Installer: g,
		Store:     state,
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer update.Close()
	for id, instance := range update.All() {
		fmt.Println(id, instance.ComponentName.Or(""), instance.CurrentVersion.Or(""))
	}
	// Output:
	// 0 application 1.0
	// 1 modem 7.1
}
