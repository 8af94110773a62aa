package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/lwm2mgen/toolkit/gen"
)

// packages returns the generated packages of the output folder, with the objects that they are for.
func (o output) packages() (map[string]uint16, error) {
	folders, err := os.ReadDir(o.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := make(map[string]uint16)
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		name := folder.Name()
		source, err := os.ReadFile(filepath.Join(o.dir, name, name+".go"))
		if err != nil {
			continue // not a package of ours; writing reports what is wrong with it
		}
		if id, ok := gen.ObjectOf(source); ok {
			found[name] = id
		}
	}
	return found, nil
}
