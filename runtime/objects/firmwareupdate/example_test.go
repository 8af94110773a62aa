package firmwareupdate_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

// bootloader stands for what installs an image on the device.
type bootloader struct{}

// Verify would check a signature.
func (bootloader) Verify(_ context.Context, image *firmwareupdate.Image) error {
	head := make([]byte, 5)
	if _, err := io.ReadFull(image, head); err != nil || !bytes.Equal(head, []byte("probe")) {
		return firmwareupdate.Fail(6, errors.New("the image is for another device"))
	}
	image.Name, image.Version = "probe", "2.0"
	return nil
}

// Install would write the image to a partition and return firmwareupdate.Restarting.
func (bootloader) Install(_ context.Context, image *firmwareupdate.Image) (firmwareupdate.Outcome, error) {
	fmt.Println("installing", image.Name, image.Version)
	return firmwareupdate.Done, nil
}

// A server pushes an image and executes Update.
func Example() {
	dir, err := os.MkdirTemp("", "firmware")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file, err := download.OpenFile(filepath.Join(dir, "image"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	changes := make(chan firmwareupdate.Status, 10)
	update, err := firmwareupdate.New(firmwareupdate.Config{
		Installer: bootloader{},
		Storage:   file,
		Changed:   func(s firmwareupdate.Status) { changes <- s },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer update.Close()

	server, image := dm.Server(1), dm.ResourcePath(5, 0, 0)
	model, err := dm.NewModel(dm.ModelConfig{}, update)
	if err != nil {
		fmt.Println(err)
		return
	}
	tx, err := model.Begin(context.Background(), server)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = tx.Write(image, dm.Replace, []dm.Entry{{Path: image, Value: dm.OpaqueValue([]byte("probe 2.0"))}})
	fmt.Println(err, tx.Commit())
	for s := range changes {
		if s.State == 2 {
			break
		}
	}
	fmt.Println(model.Snapshot().Execute(context.Background(), server, dm.ResourcePath(5, 0, 2), dm.Args{}))
	for s := range changes {
		if s.State == 0 {
			fmt.Println("result", s.Result)
			break
		}
	}
	// Unordered output:
	// <nil> <nil>
	// installing probe 2.0
	// <nil>
	// result 1
}
