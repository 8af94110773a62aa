// Package advancedfirmware is the object Advanced Firmware Update (33629) with its behaviour: the
// firmware of a device in several components, such as application, bootloader and modem. Each
// component is an instance to which a server pushes an image or names a URI. One Update installs
// one component, or several together. State and result survive a restart and a loss of power at any
// moment. The instances are those of generated/advancedfirmwareupdate.
//
//	update, err := advancedfirmware.New(advancedfirmware.Config{
//		Components: []advancedfirmware.Component{
//			{Name: "application", Version: app.Version, Storage: appFile},
//			{Name: "modem", Version: modem.Version, Storage: modemFile},
//		},
//		Installer: board, // Verify and Install
//		Store:     state, // of package store
//		Installed: board.Runs,
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
// The main names are [New] with its [Config], [Component], [Installer], which is what your device
// brings along, [Dependencies], and [Fail], which chooses the Update Result of an error. A device
// with one image has the simpler package firmwareupdate. docs/updates.md explains both.
package advancedfirmware
