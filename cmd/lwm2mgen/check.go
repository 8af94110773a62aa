package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/diff"

	"github.com/lwm2mgen/toolkit/gen"
)

// check compares the files with those in the output folder, prints the differences, and returns
// their number. A generated file in the folder that is not among the given files is a difference.
func (o output) check(files []gen.File, before int) (failed int) {
	want := make(map[string]bool, len(files))
	for _, f := range files {
		path := filepath.Join(o.dir, filepath.FromSlash(f.Path))
		want[path] = true
		if !o.checkFile(path, f.Content) {
			failed++
		}
	}
	orphans, err := o.orphans(want)
	if err != nil {
		complain(o.stderr, err)
		failed++
	}
	for _, path := range orphans {
		fmt.Fprintf(o.stderr, "%s: none of the given definitions generates this file, "+
			"delete it or add its XML file to the command\n", path)
		failed++
	}
	switch {
	case o.quiet:
	case before+failed > 0:
		fmt.Fprintf(o.stderr, "%s checked, %d failed\n", count(len(files), "package"), before+failed)
	default:
		fmt.Fprintf(o.stderr, "%s checked, all up to date\n", count(len(files), "package"))
	}
	return failed
}

func (o output) checkFile(path string, content []byte) bool {
	old, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		fmt.Fprintf(o.stderr, "%s: the file is missing, run lwm2mgen without -check\n", path)
		return false
	}
	if err != nil {
		complain(o.stderr, err)
		return false
	}
	if bytes.Equal(old, content) {
		return true
	}
	fmt.Fprintf(o.stderr, "%s: the file is out of date or was edited by hand, run lwm2mgen without -check\n", path)
	name := filepath.ToSlash(path)
	o.stdout.Write(diff.Diff(name, old, name+" (generated)", content))
	return false
}

// orphans returns the generated files in the folders of packages that are not in want, in order.
func (o output) orphans(want map[string]bool) ([]string, error) {
	folders, err := os.ReadDir(o.dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var orphans []string
	for _, folder := range folders {
		if !folder.IsDir() {
			continue
		}
		entries, err := os.ReadDir(filepath.Join(o.dir, folder.Name()))
		if err != nil {
			return nil, err
		}
		for _, e := range entries {
			path := filepath.Join(o.dir, folder.Name(), e.Name())
			if want[path] || !e.Type().IsRegular() || filepath.Ext(path) != ".go" {
				continue
			}
			generated, err := isGeneratedFile(path)
			if err != nil {
				return nil, err
			}
			if generated {
				orphans = append(orphans, path)
			}
		}
	}
	return orphans, nil
}

func isGeneratedFile(path string) (bool, error) {
	f, err := os.Open(path)
	if err != nil {
		return false, err
	}
	defer f.Close()
	head, err := io.ReadAll(io.LimitReader(f, 4096))
	return gen.IsGenerated(head), err
}
