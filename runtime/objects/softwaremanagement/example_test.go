package softwaremanagement_test

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/objects/softwaremanagement"
)

// scripts stands for what runs software on the device.
type scripts struct{}

// Verify would check a signature.
func (scripts) Verify(_ context.Context, p *softwaremanagement.Package) error {
	content, err := io.ReadAll(p)
	if err != nil {
		return err
	}
	p.Name, p.Version, _ = strings.Cut(string(content), " ")
	return nil
}

// Install would unpack the package.
func (scripts) Install(_ context.Context, p *softwaremanagement.Package) (softwaremanagement.Outcome, error) {
	fmt.Println("installing", p.Name, p.Version)
	return softwaremanagement.Done, nil
}

func (scripts) Activate(_ context.Context, s softwaremanagement.Software) error {
	fmt.Println("starting", s.Name)
	return nil
}

func (scripts) Deactivate(_ context.Context, s softwaremanagement.Software) error {
	fmt.Println("stopping", s.Name)
	return nil
}

func (scripts) Uninstall(_ context.Context, s softwaremanagement.Software, forUpdate bool) error {
	fmt.Println("removing", s.Name, s.Version, "for an update:", forUpdate)
	return nil
}

// A server pushes a package, installs and activates it, and removes the software again.
func Example() {
	dir, err := os.MkdirTemp("", "software")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)
	file, err := download.OpenFile(filepath.Join(dir, "package"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer file.Close()
	changes := make(chan softwaremanagement.Status, 20)
	software, err := softwaremanagement.New(softwaremanagement.Config{
		Components: []softwaremanagement.Component{{Storage: file}},
		Installer:  scripts{},
		Changed:    func(s softwaremanagement.Status) { changes <- s },
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer software.Close()
	until := func(state int64) {
		for s := range changes {
			if s.State == state {
				return
			}
		}
	}

	server, content := dm.Server(1), dm.ResourcePath(9, 0, 2)
	model, err := dm.NewModel(dm.ModelConfig{}, software)
	if err != nil {
		fmt.Println(err)
		return
	}
	tx, err := model.Begin(context.Background(), server)
	if err != nil {
		fmt.Println(err)
		return
	}
	err = tx.Write(content, dm.Replace, []dm.Entry{{Path: content, Value: dm.OpaqueValue([]byte("counter 1.0"))}})
	fmt.Println(err, tx.Commit())
	until(3)
	execute := func(resource dm.ResourceID) {
		err := model.Snapshot().Execute(context.Background(), server, dm.ResourcePath(9, 0, resource), dm.Args{})
		if err != nil {
			fmt.Println(err)
		}
	}
	execute(4)
	until(4)
	execute(10)
	fmt.Println("active:", software.Status(0).Active)
	execute(6)
	fmt.Println("state", software.Status(0).State)
	// Output:
	// <nil> <nil>
	// installing counter 1.0
	// starting counter
	// active: true
	// stopping counter
	// removing counter 1.0 for an update: false
	// state 0
}
