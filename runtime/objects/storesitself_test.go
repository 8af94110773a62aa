package objects_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/advancedfirmware"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
)

// noInstaller and the others do nothing.
type (
	noInstaller  struct{}
	noInstallers struct{}
	noSoftware   struct{ softwaremanagement.Installer }
)

func (noInstaller) Verify(context.Context, *firmwareupdate.Image) error { return nil }

func (noInstaller) Install(context.Context, *firmwareupdate.Image) (firmwareupdate.Outcome, error) {
	return firmwareupdate.Done, nil
}

func (noInstallers) Verify(context.Context, *advancedfirmware.Image) error { return nil }

func (noInstallers) Install(context.Context, []*advancedfirmware.Image) (advancedfirmware.Outcome, error) {
	return advancedfirmware.Done, nil
}

// An object that stores its state itself is refused in StoredObjects, with advice.
func TestObjectsThatStoreThemselves(t *testing.T) {
	var power objecttest.Power
	power.Limit = -1
	flash := &objecttest.Flash{Power: &power}
	records := &objecttest.Records{Power: &power, Values: map[string][]byte{}}
	firmware := made[*firmwareupdate.Updater](t)(firmwareupdate.New(firmwareupdate.Config{Installer: noInstaller{}, Storage: flash}))
	components := made[*advancedfirmware.Updater](t)(advancedfirmware.New(advancedfirmware.Config{
		Installer: noInstallers{}, Components: []advancedfirmware.Component{{Name: "modem", Version: func() string { return "1" }, Storage: flash}},
	}))
	software := made[*softwaremanagement.Manager](t)(softwaremanagement.New(softwaremanagement.Config{
		Installer: noSoftware{}, Components: []softwaremanagement.Component{{Storage: flash}},
	}))
	for _, o := range []interface {
		dm.Object
		io.Closer
	}{firmware, components, software} {
		_, err := lwm2m.New(lwm2m.Config{Objects: []dm.Object{o}, Store: records, StoredObjects: []dm.ObjectID{o.ID()}})
		if err == nil || !strings.Contains(err.Error(), "remove it from StoredObjects") {
			t.Errorf("object %d: %v", o.ID(), err)
		}
		must(t, o.Close())
	}
}
