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
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/lwm2mgen/toolkit/gen"
	"github.com/lwm2mgen/toolkit/registry"
)

func generateCommand() *cli.Command {
	return &cli.Command{
		Name:      "lwm2mgen",
		Usage:     "turns LwM2M object definitions into Go packages",
		UsageText: "lwm2mgen [-out DIR] [-names FILE] [-docs full|short] [-check] [-q] XML...",
		Description: `The first form writes DIR/<package>/<package>.go for each object in the given files. The package is named
after the object. Faulty definitions do not keep the others from being written; the exit status is then 1.
Files that lwm2mgen has not generated are never overwritten. An XML argument may be a quoted pattern,
which lwm2mgen expands itself. With -check, name all definitions of DIR in one call: a package without a
definition is a failure, too.

Examples:

   lwm2mgen -out objects xml/3303.xml xml/3308.xml
   lwm2mgen -out objects -check 'xml/*.xml'
   //go:generate go tool lwm2mgen -out objects -names xml/names xml/*.xml`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "out", Value: ".", Local: true,
				Usage: "`DIR` the folder of the packages; default: the current folder"},
			&cli.StringFlag{Name: "names", Local: true,
				Usage: "`FILE` Go names and secrets: lines such as \"3303 temperature\", " +
					"\"3303/5700 SensorValue\", \"0/5 secret\", \"20/4016 public\""},
			&cli.StringFlag{Name: "docs", Value: "full", Local: true,
				Usage: "`full|short` what comments hold of descriptions: everything, or the first sentence; default: full"},
			&cli.BoolFlag{Name: "check", Local: true,
				Usage: "write nothing; print a diff and fail if a package is out of date, was edited by hand " +
					"or is no longer defined"},
			&cli.BoolFlag{Name: "q", Local: true, Usage: "print errors only: no warnings and no summary"},
			&cli.BoolFlag{Name: "version", Local: true, Usage: "print the version"},
		},
		Action: func(_ context.Context, c *cli.Command) error {
			if c.Bool("version") {
				_, err := fmt.Fprintln(c.Root().Writer, version())
				return err
			}
			if !c.Args().Present() {
				return usageError{text: "name the XML files", command: c.FullName()}
			}
			if first := c.Args().First(); !isFile(first) {
				return usageError{text: fmt.Sprintf("%s is neither a file nor a command; the commands are %s",
					first, commandNames(c.Root())), command: c.FullName()}
			}
			names, err := loadNames(c.String("names"))
			if err != nil {
				return err
			}
			docs, ok := map[string]gen.Docs{"full": gen.DocsFull, "short": gen.DocsShort}[c.String("docs")]
			if !ok {
				return usageError{text: fmt.Sprintf("-docs is %q, write full or short", c.String("docs")), command: c.FullName()}
			}
			out := output{dir: c.String("out"), stdout: c.Root().Writer, stderr: c.Root().ErrWriter, quiet: c.Bool("q")}
			return out.generate(c.Args().Slice(), gen.Options{Names: names, Docs: docs}, c.Bool("check"))
		},
	}
}

// output is the folder in which packages are written or checked.
type output struct {
	dir            string
	stdout, stderr io.Writer
	quiet          bool // only errors are printed
}

func (o output) generate(args []string, options gen.Options, check bool) error {
	existing, err := o.packages()
	if err != nil {
		return err
	}
	options.Packages = existing
	l := load(args, o.stderr)
	l.faults = slices.DeleteFunc(l.faults, options.Names.Settles)
	files, faults := gen.Generate(l.defs, options)
	faults = append(l.faults, faults...)
	failed := l.failed + failedObjects(faults)
	o.report(faults)
	do := o.write
	if check {
		do = o.check
	}
	failed += do(files, failed)
	if failed > 0 {
		return errReported
	}
	return nil
}

// report prints faults, without the warnings if only errors are printed.
func (o output) report(faults []registry.Fault) {
	if o.quiet {
		faults = slices.DeleteFunc(faults, func(f registry.Fault) bool { return f.Severity != registry.Error })
	}
	report(o.stderr, faults)
}

// failedObjects counts the objects with an error, and the files with an error outside of objects.
func failedObjects(faults []registry.Fault) int {
	type place struct {
		file   string
		object int
	}
	failed := make(map[place]bool)
	for _, f := range faults {
		if f.Severity == registry.Error {
			failed[place{f.File, f.Object}] = true
		}
	}
	return len(failed)
}

// write writes the files that differ from those in the folder. It continues after an error. It
// returns the number of files that cannot be written; the failures before it are for the summary.
func (o output) write(files []gen.File, before int) (failed int) {
	written, unchanged := 0, 0
	for _, f := range files {
		path := filepath.Join(o.dir, filepath.FromSlash(f.Path))
		switch changed, err := writeFile(path, f.Content); {
		case err != nil:
			complain(o.stderr, err)
			failed++
		case changed:
			written++
		default:
			unchanged++
		}
	}
	if !o.quiet {
		line := fmt.Sprintf("%s written, %d unchanged", count(written, "package"), unchanged)
		if n := before + failed; n > 0 {
			line += fmt.Sprintf(", %d failed", n)
		}
		fmt.Fprintln(o.stderr, line)
	}
	return failed
}

// count returns a number of things in words, such as "1 package" or "2 packages".
func count(n int, thing string) string {
	if n != 1 {
		thing += "s"
	}
	return fmt.Sprintf("%d %s", n, thing)
}

// writeFile writes a file, unless it has the content already, and reports whether it did.
func writeFile(path string, content []byte) (changed bool, err error) {
	old, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if err := os.MkdirAll(filepath.Dir(path), 0o777); err != nil {
			return false, err
		}
	case err != nil:
		return false, err
	case bytes.Equal(old, content):
		return false, nil
	case !gen.IsGenerated(old):
		return false, fmt.Errorf("%s: the file is not generated by lwm2mgen and is not overwritten, move it", path)
	}
	return true, replaceFile(path, content)
}

// replaceFile replaces a file atomically: other readers, also after a crash, see either the old
// content or the new.
func replaceFile(path string, content []byte) error {
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	defer os.Remove(tmp.Name()) // fails after a successful rename
	_, err = tmp.Write(content)
	if err == nil {
		err = tmp.Chmod(0o644)
	}
	if err = errors.Join(err, tmp.Close()); err != nil {
		return err
	}
	return os.Rename(tmp.Name(), path)
}
