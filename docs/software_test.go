package docs_test

import (
	"context"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// The functions of docs/software.md and of the package are compiled and never called.
var _ = []any{packageSoftwaremanagement, newSoftware, softwaremanagement.Installer(new(containers))}

// containers runs software.
type containers struct{}

func (*containers) Has(*softwaremanagement.Package) bool { return false }
func (*containers) checkSignature(*softwaremanagement.Package) (name, version string, err error) {
	return "", "", nil
}
func (*containers) unpack(*softwaremanagement.Package, string) error { return nil }
func (*containers) folder(dm.InstanceID) string                      { return "" }
func (*containers) start(context.Context, string) error              { return nil }
func (*containers) stop(context.Context, string) error               { return nil }
func (*containers) remove(string) error                              { return nil }

func (c *containers) Verify(ctx context.Context, p *softwaremanagement.Package) error {
	name, version, err := c.checkSignature(p)
	p.Name, p.Version = name, version
	return err
}

func (c *containers) Install(ctx context.Context, p *softwaremanagement.Package) (softwaremanagement.Outcome, error) {
	return softwaremanagement.Done, c.unpack(p, c.folder(p.Component))
}

func (c *containers) Activate(ctx context.Context, s softwaremanagement.Software) error {
	return c.start(ctx, s.Name)
}

func (c *containers) Deactivate(ctx context.Context, s softwaremanagement.Software) error {
	return c.stop(ctx, s.Name)
}

func (c *containers) Uninstall(ctx context.Context, s softwaremanagement.Software, forUpdate bool) error {
	if forUpdate {
		return nil // Install replaces it
	}
	return c.remove(c.folder(s.Component))
}

func newSoftware(appFile, extraFile *download.File, client *download.Client, state store.Store, containers *containers) (*softwaremanagement.Manager, error) {
	manager, err := softwaremanagement.New(softwaremanagement.Config{
		Components: []softwaremanagement.Component{
			{
				Storage:    appFile,
				Downloader: pull.New(client, download.Records{Store: state, Name: "download/app"}),
				Shipped:    softwaremanagement.Software{Name: "app", Version: "1.0"},
			},
			{
				Storage:    extraFile,
				Downloader: pull.New(client, download.Records{Store: state, Name: "download/extra"}),
			},
		},
		Installer: containers,
		Store:     state,
		Installed: containers.Has,
	})
	if err != nil {
		return nil, err
	}
	return manager, nil
}

// packageSoftwaremanagement is the code in the comment of the package.
func packageSoftwaremanagement(file, other *download.File, containers *containers, state store.Store, dev dm.Object) error {
	software, err := softwaremanagement.New(softwaremanagement.Config{
		Components: []softwaremanagement.Component{{Storage: file}, {Storage: other}},
		Installer:  containers, // Verify, Install, Activate, Deactivate and Uninstall
		Store:      state,      // of package store
		Installed:  containers.Has,
	})
	if err != nil {
		return err
	}
	defer software.Close()
	client, err := lwm2m.New(lwm2m.Config{
		Objects: []dm.Object{dev, software},
	})
	if err != nil {
		return err
	}
	return client.Run(context.Background())
}
