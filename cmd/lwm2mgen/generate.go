package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/urfave/cli/v3"

	"github.com/lwm2mgen/toolkit/gen"
)

func generateCommand() *cli.Command {
	return &cli.Command{
		Name:      "lwm2mgen",
		Usage:     "turns LwM2M object definitions into Go packages",
		UsageText: "lwm2mgen [-out DIR] [-names FILE] [-check] XML...",
		Description: `The first form writes DIR/<package>/<package>.go for every object in the given files; the name of the
package comes from that of the object. All files are read and all good definitions are written, also
when others are bad: then the exit code is 1. Files that lwm2mgen has not written are never overwritten.
An XML argument may be a pattern in quotes, which lwm2mgen expands where no shell does. For -check, name
all definitions of DIR in one call: a package that none of them makes is a failure, too.

Examples:

   lwm2mgen -out objects xml/3303.xml xml/3308.xml
   lwm2mgen -out objects -check 'xml/*.xml'
   //go:generate go tool lwm2mgen -out objects -names xml/names xml/*.xml`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Value: ".", Local: true, Usage: "`DIR` the folder of the packages; the current one when not given"},
			&cli.StringFlag{Name: "names", Local: true, Usage: "`FILE` Go names and secrets: lines such as \"3303 temperature\", \"3303/5700 SensorValue\", \"0/5 secret\", \"20/4016 public\""},
			&cli.BoolFlag{Name: "check", Local: true, Usage: "write nothing; print a diff and fail when a package is out of date, edited by hand or no longer defined"},
		},
		Action: func(_ context.Context, c *cli.Command) error {
			if !c.Args().Present() {
				return usageError{text: "which XML files?", command: c.FullName()}
			}
			names, err := loadNames(c.String("names"))
			if err != nil {
				return err
			}
			out := output{dir: c.String("out"), stdout: c.Root().Writer, stderr: c.Root().ErrWriter}
			return out.generate(c.Args().Slice(), names, c.Bool("check"))
		},
	}
}

// output is where packages are written to or checked.
type output struct {
	dir            string
	stdout, stderr io.Writer
}

func (o output) generate(args []string, names *gen.Names, check bool) error {
	l := load(args, o.stderr)
	files, faults := gen.Generate(l.defs, gen.Options{Names: names})
	failed := report(o.stderr, append(l.faults, faults...)) || l.failed
	if check {
		if !o.check(files) {
			failed = true
		}
	} else if err := o.write(files); err != nil {
		complain(o.stderr, err)
		failed = true
	}
	if failed {
		return errReported
	}
	return nil
}

// write writes the files that differ from what is there. It goes on after an error.
func (o output) write(files []gen.File) error {
	var errs error
	for _, f := range files {
		path := filepath.Join(o.dir, filepath.FromSlash(f.Path))
		if err := writeFile(path, f.Content); err != nil {
			errs = errors.Join(errs, err)
		}
	}
	return errs
}

func writeFile(path string, content []byte) error {
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return err
		}
	case err != nil:
		return err
	case bytes.Equal(old, content):
		return nil
	case !gen.IsGenerated(old):
		return fmt.Errorf("%s: lwm2mgen has not written this file and leaves it alone, move it away", path)
	}
	return replaceFile(path, content)
}

// replaceFile writes a file at once: whoever reads it meanwhile, and whoever finds it after a crash,
// sees the old content or the new.
func replaceFile(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails when all went well
	_, err = tmp.Write(content)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
