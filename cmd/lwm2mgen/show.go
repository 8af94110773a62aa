package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/tabwriter"
	"unicode"

	"github.com/urfave/cli/v3"

	"github.com/lwm2mgen/toolkit/cmd/lwm2mgen/internal/fetch"
	"github.com/lwm2mgen/toolkit/registry"
)

func showCommand() *cli.Command {
	return &cli.Command{
		Name:      "show",
		Usage:     "prints the resources of objects",
		UsageText: "lwm2mgen show [-dir DIR] XML|ID[@VERSION]...",
		Description: `An ID names the file that fetch has downloaded for the object.

Examples:

   lwm2mgen show xml/3303.xml
   lwm2mgen show -dir xml 3303 3308@1.0`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: ".",
				Usage: "`DIR` the folder of the definitions that are named by ID; default: the current folder"},
		},
		Action: func(_ context.Context, c *cli.Command) error {
			if !c.Args().Present() {
				return usageError{text: "name the objects", command: c.FullName()}
			}
			files, err := definitionFiles(c.String("dir"), c.Args().Slice())
			if err != nil {
				return err
			}
			l := load(files, c.Root().ErrWriter)
			failed := report(c.Root().ErrWriter, l.faults) || l.failed > 0
			for i, d := range l.defs {
				if i > 0 {
					fmt.Fprintln(c.Root().Writer)
				}
				if err := show(c.Root().Writer, &d.Object); err != nil {
					return err
				}
			}
			if failed {
				return errReported
			}
			return nil
		},
	}
}

// definitionFiles replaces IDs by the names of the files that fetch writes for them.
func definitionFiles(dir string, args []string) ([]string, error) {
	var files []string
	for _, a := range args {
		ref, err := fetch.ParseRef(a)
		if err != nil {
			files = append(files, a)
			continue
		}
		file := filepath.Join(dir, ref.File())
		if _, err := os.Stat(file); errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("%s does not exist, download it with: lwm2mgen fetch -dir %s %s", file, dir, ref)
		}
		files = append(files, file)
	}
	return files, nil
}

// show prints one object.
func show(w io.Writer, o *registry.Object) error {
	instances, presence := "single instance", "optional"
	if o.Multiple {
		instances = "multiple instances"
	}
	if o.Mandatory {
		presence = "mandatory"
	}
	fmt.Fprintf(w, "%s (%d), version %s, LwM2M %s, %s, %s\n",
		printable(o.Name), o.ID, o.Version, o.LWM2MVersion, instances, presence)
	if o.URN != "" {
		fmt.Fprintln(w, printable(o.URN))
	}
	fmt.Fprintln(w)
	tw := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(tw, "ID\tName\tOps\tType\tInstances\tPresence\tRange\tUnits")
	for i := range o.Resources {
		r := &o.Resources[i]
		fmt.Fprintf(tw, "%d\t%s\t%s\t%s\t%s\t%s\t%s\t%s\n", r.ID, printable(r.Name),
			cmp.Or(r.Ops.String(), "-"), cmp.Or(r.Type.String(), "-"), choose(r.Multiple, "multiple", "single"),
			choose(r.Mandatory, "mandatory", "optional"), cmp.Or(span(r), "-"), cmp.Or(printable(r.Units), "-"))
	}
	return tw.Flush()
}

// span returns the range of a resource, or the registered text if it is not understood. Devices do
// not enforce it then.
func span(r *registry.Resource) string {
	switch {
	case r.Range != nil && r.Type.Measured():
		return "length " + r.Range.String()
	case r.Range != nil:
		return r.Range.String()
	case r.Strings != nil:
		return printable(r.Strings.String())
	case r.RangeText != "":
		return "not enforced: " + printable(r.RangeText)
	}
	return ""
}

// printable returns s without control characters and line breaks, which would disturb a terminal or
// the columns of a table.
func printable(s string) string {
	s = strings.Join(strings.Fields(s), " ")
	return strings.Map(func(r rune) rune {
		if !unicode.IsGraphic(r) {
			return -1
		}
		return r
	}, s)
}

func choose(which bool, yes, no string) string {
	if which {
		return yes
	}
	return no
}
