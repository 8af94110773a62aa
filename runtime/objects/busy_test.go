package objects_test

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/advancedfirmware"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
)

// goodSoftware accepts and installs each package.
type goodSoftware struct{ softwaremanagement.Installer }

func (goodSoftware) Verify(context.Context, *softwaremanagement.Package) error { return nil }

func (goodSoftware) Install(context.Context, *softwaremanagement.Package) (softwaremanagement.Outcome, error) {
	return softwaremanagement.Done, nil
}

// Objects that ask each other by Config.Busy never install at the same time, however close together
// servers execute Update and Install.
func TestBusyAtTheSameTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		power := objecttest.Power{Limit: -1}
		storage := func() *objecttest.Flash { return &objecttest.Flash{Power: &power} }
		var firmware *firmwareupdate.Updater
		var components *advancedfirmware.Updater
		var software *softwaremanagement.Manager
		var asked, answered sync.WaitGroup // all ask, then all are answered, then all go on
		ask := func(others ...func() bool) bool {
			asked.Done()
			asked.Wait()
			busy := slices.ContainsFunc(others, func(installing func() bool) bool { return installing() })
			answered.Done()
			answered.Wait()
			return busy
		}
		all := func(n int) { asked.Add(n); answered.Add(n) }
		log := slog.New(slog.DiscardHandler)
		firmware = made[*firmwareupdate.Updater](t)(firmwareupdate.New(firmwareupdate.Config{
			Installer: noInstaller{}, Storage: storage(), Logger: log,
			Busy: func() bool { return ask(components.Installing, software.Installing) },
		}))
		components = made[*advancedfirmware.Updater](t)(advancedfirmware.New(advancedfirmware.Config{
			Installer: noInstallers{}, Logger: log,
			Components: []advancedfirmware.Component{{Name: "modem", Version: func() string { return "1" }, Storage: storage()}},
			Busy:       func() bool { return ask(firmware.Installing, software.Installing) },
		}))
		software = made[*softwaremanagement.Manager](t)(softwaremanagement.New(softwaremanagement.Config{
			Installer: goodSoftware{}, Components: []softwaremanagement.Component{{Storage: storage()}}, Logger: log,
			Busy: func() bool { return ask(firmware.Installing, components.Installing) },
		}))
		device := objecttest.New(t, firmware, components, software)
		all(2) // the objects with firmware also ask when an image has been verified
		for _, p := range []string{"/5/0/0", "/33629/0/0", "/9/0/2"} {
			must(t, device.Write(p, dm.OpaqueValue([]byte("image"))))
		}
		synctest.Wait()
		all(3)
		for _, p := range []string{"/5/0/2", "/33629/0/2", "/9/0/4"} {
			go func() { objecttest.Refused(t, p, device.Execute(p, ""), dm.MethodNotAllowed) }()
		}
		synctest.Wait()
		if firmware.Installing() || components.Installing() || software.Installing() {
			t.Error("a refused installation is still reported")
		}
	})
}
