package main

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/lwm2mgen/toolkit/gen"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/registry/omaxml"
)

// loaded holds the definitions of the XML files of a command line.
type loaded struct {
	defs   []gen.Definition
	faults []registry.Fault
	files  int
	failed int // the number of files that could not be read, which have been printed
}

// load reads the given XML files and returns their definitions, in the order of the files. It
// prints the files that cannot be read to stderr and loads the others.
func load(args []string, stderr io.Writer) loaded {
	files, errs := expand(args)
	l := loaded{files: len(files)}
	for _, file := range files {
		objects, faults, err := loadFile(file)
		if err != nil {
			errs = append(errs, err)
		}
		l.faults = append(l.faults, faults...)
		for _, o := range objects {
			l.defs = append(l.defs, gen.Definition{File: filepath.ToSlash(file), Object: o})
		}
	}
	for _, err := range errs {
		complain(stderr, err)
	}
	l.failed = len(errs)
	return l
}

func loadFile(name string) ([]registry.Object, []registry.Fault, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, nil, err
	}
	defer f.Close()
	if info, err := f.Stat(); err == nil && info.IsDir() {
		return nil, nil, fmt.Errorf("%s is a folder, name its files, such as %s",
			name, filepath.ToSlash(filepath.Join(name, "*.xml")))
	}
	return omaxml.Read(filepath.ToSlash(name), f)
}

// isFile reports whether an argument is meant as a file and not as a command: it exists, or it
// looks like a path or a pattern.
func isFile(arg string) bool {
	_, err := os.Lstat(arg)
	return err == nil || strings.ContainsAny(arg, `./\*?[`)
}

// expand returns the files that the arguments name, each once. Patterns are expanded here because
// go generate does not run commands in a shell.
func expand(args []string) (files []string, errs []error) {
	for _, a := range args {
		if _, err := os.Lstat(a); errors.Is(err, fs.ErrNotExist) && strings.ContainsAny(a, "*?[") {
			matches, err := filepath.Glob(a)
			if err == nil && len(matches) == 0 {
				err = errors.New("no file matches")
			}
			if err != nil {
				errs = append(errs, fmt.Errorf("%s: %w", a, err))
			}
			files = append(files, matches...)
			continue
		}
		files = append(files, filepath.Clean(a))
	}
	seen := make(map[string]bool, len(files))
	files = slices.DeleteFunc(files, func(f string) bool {
		before := seen[f]
		seen[f] = true
		return before
	})
	return files, errs
}

// loadNames reads a names file, if one is given.
func loadNames(file string) (*gen.Names, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return gen.ParseNames(filepath.ToSlash(file), text)
}

// report prints faults, one per line, and reports whether one of them is an error.
func report(w io.Writer, faults []registry.Fault) (failed bool) {
	for _, f := range faults {
		failed = failed || f.Severity == registry.Error
		fmt.Fprintln(w, faultLine(f))
	}
	return failed
}

// faultLine returns a fault as "file:line: severity: object/resource: what is wrong, what to do",
// which editors understand.
func faultLine(f registry.Fault) string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d", f.File, f.Line)
	}
	f.File = ""
	return fmt.Sprintf("%s: %s: %s", place, f.Severity, f.Error())
}

// complain prints each of the errors that err joins on a line of its own.
func complain(w io.Writer, err error) {
	fmt.Fprintf(w, "lwm2mgen: %s\n", strings.ReplaceAll(err.Error(), "\n", "\nlwm2mgen: "))
}
