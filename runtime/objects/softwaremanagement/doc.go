// Package softwaremanagement is the object LWM2M Software Management (9) with its behaviour: the
// software components of a device, such as applications of a gateway. A server pushes a package or
// names a URI, and then installs, activates, deactivates and uninstalls the software. States
// survive a restart and a loss of power at any moment, and software that ran is activated again.
// The instances are those of generated/softwaremanagement.
//
//	software, err := softwaremanagement.New(softwaremanagement.Config{
//		Components: []softwaremanagement.Component{{Storage: file}, {Storage: other}},
//		Installer:  containers, // Verify, Install, Activate, Deactivate and Uninstall
//		Store:      state,      // of package store
//		Installed:  containers.Has,
//	})
//	if err != nil {
//		return err
//	}
//	defer software.Close()
//	client, err := lwm2m.New(lwm2m.Config{
//		Objects: []dm.Object{dev, software},
//		...
//	})
//
// The main names are [New] with its [Config], [Component], [Installer], which is what your device
// brings along, and [Fail], which chooses the Update Result of an error. docs/software.md explains
// software management step by step. For the firmware of the device see package firmwareupdate.
package softwaremanagement
