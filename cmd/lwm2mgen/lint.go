package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/lwm2mgen/toolkit/gen"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/registry/omaxml"
)

func lintCommand() *cli.Command {
	return &cli.Command{
		Name:      "lint",
		Usage:     "reports the faults of object definitions",
		UsageText: "lwm2mgen lint [-names FILE] [-json] [-q] XML...",
		Description: `lint prints one line for each fault, "file:line: severity: object/resource: what is wrong, what to do", and
fails if there are any. This includes faults for which generation only warns, such as names that collide, and
IDs that OMA has given to another object or keeps for registration.

With -json, each line is an object with the members file, line, object, resource, severity, message and
advice. Members of which nothing is known are left out.

Examples:

   lwm2mgen lint xml/3303.xml
   lwm2mgen lint -names xml/names 'xml/*.xml'`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "names", Usage: "`FILE` Go names and secrets, as for generation"},
			&cli.BoolFlag{Name: "json", Usage: "print a JSON object for each fault"},
			&cli.BoolFlag{Name: "q", Usage: "print no summary"},
		},
		Action: func(_ context.Context, c *cli.Command) error {
			if !c.Args().Present() {
				return usageError{text: "name the XML files", command: c.FullName()}
			}
			names, err := loadNames(c.String("names"))
			if err != nil {
				return err
			}
			l := load(c.Args().Slice(), c.Root().ErrWriter)
			faults := lint(l, names)
			printFaults := printLines
			if c.Bool("json") {
				printFaults = printJSON
			}
			if err := printFaults(c.Root().Writer, faults); err != nil {
				return err
			}
			if !c.Bool("q") {
				fmt.Fprintln(c.Root().ErrWriter, summary(l, faults))
			}
			if len(faults) > 0 || l.failed > 0 {
				return errReported
			}
			return nil
		},
	}
}

// lint returns all faults of the definitions, in order.
func lint(l loaded, names *gen.Names) []registry.Fault {
	_, faults := gen.Generate(l.defs, gen.Options{Names: names})
	faults = append(slices.DeleteFunc(l.faults, names.Settles), faults...)
	for _, d := range l.defs {
		for _, f := range omaxml.CheckIDs(d.Object) {
			f.File = d.File
			faults = append(faults, f)
		}
	}
	slices.SortStableFunc(faults, registry.Fault.Compare)
	return faults
}

func printLines(w io.Writer, faults []registry.Fault) error {
	for _, f := range faults {
		if _, err := fmt.Fprintln(w, faultLine(f)); err != nil {
			return err
		}
	}
	return nil
}

func printJSON(w io.Writer, faults []registry.Fault) error {
	type line struct {
		File     string `json:"file"`
		Line     int    `json:"line,omitempty"`
		Object   *int   `json:"object,omitempty"`
		Resource *int   `json:"resource,omitempty"`
		Severity string `json:"severity"`
		Message  string `json:"message"`
		Advice   string `json:"advice,omitempty"`
	}
	known := func(id int) *int {
		if id < 0 {
			return nil
		}
		return &id
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	for _, f := range faults {
		err := e.Encode(line{f.File, f.Line, known(f.Object), known(f.Resource), f.Severity.String(), f.What, f.Do})
		if err != nil {
			return err
		}
	}
	return nil
}

// summary counts what lint has found.
func summary(l loaded, faults []registry.Fault) string {
	errors := l.failed
	for _, f := range faults {
		if f.Severity == registry.Error {
			errors++
		}
	}
	text := count(l.files, "file") + ": "
	if errors+len(faults) == 0 {
		return text + "no faults"
	}
	return text + fmt.Sprintf("%s, %s", count(errors, "error"), count(len(faults)+l.failed-errors, "warning"))
}
