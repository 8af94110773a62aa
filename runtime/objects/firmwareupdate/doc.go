// Package firmwareupdate is the LwM2M Firmware Update object (5) with its behaviour: a server
// pushes an image or names a URI to download it from, the device checks it, and installs it when
// the server says so. State and result survive a restart and a loss of power at any moment. The
// instance is that of generated/firmwareupdate.
//
//	update, err := firmwareupdate.New(firmwareupdate.Config{
//		Installer: board,   // Verify and Install
//		Storage:   file,    // where the image goes
//		Store:     state,   // of package store
//		Installed: func(image *firmwareupdate.Image) bool { return version == image.Version },
//	})
//	if err != nil {
//		return err
//	}
//	defer update.Close()
//	client, err := lwm2m.New(lwm2m.Config{
//		Objects: []dm.Object{dev, update},
//		...
//	})
//
// The main names are [New] with its [Config], [Installer], which is what your device brings along,
// [Storage], [Downloader], and [Fail], which chooses the Update Result of an error. docs/updates.md
// explains updates step by step.
package firmwareupdate
