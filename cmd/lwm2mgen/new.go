package main

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/xml"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"

	"github.com/urfave/cli/v3"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/registry/omaxml"
)

// definitionTemplate is the definition that new writes.
//
//go:embed new.xml.tmpl
var definitionTemplate string

func newCommand() *cli.Command {
	return &cli.Command{
		Name:      "new",
		Usage:     "writes the definition of an object to start from",
		UsageText: "lwm2mgen new [-id ID] [-out FILE] -name NAME",
		Description: `new writes an XML file with one resource of each kind and comments that explain the elements. It does not
overwrite a file. The IDs from 42769 to 42800 are for tests; ask OMA for the ID of an object that devices in
the field have.

Examples:

   lwm2mgen new -id 42769 -name Heater
   lwm2mgen new -id 42770 -name "Water Meter" -out xml/meter.xml`,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "id", Value: firstTestID, Usage: "`ID` the ID of the object; default: 42769"},
			&cli.StringFlag{Name: "name", Usage: "`NAME` the name of the object"},
			&cli.StringFlag{Name: "out", Usage: "`FILE` the file to write; default: the name in small letters with .xml"},
		},
		Action: func(_ context.Context, c *cli.Command) error {
			o := registry.Object{Name: strings.Join(strings.Fields(c.String("name")), " "), ID: uint16(c.Int("id"))}
			switch {
			case c.Args().Present():
				return usageError{text: fmt.Sprintf("%q is not a flag", c.Args().First()), command: c.FullName()}
			case o.Name == "":
				return usageError{text: "name the object with -name", command: c.FullName()}
			case int(o.ID) != c.Int("id") || o.ID == registry.ReservedID:
				return usageError{text: fmt.Sprintf("-id is %d, write a number from 0 to 65534", c.Int("id")), command: c.FullName()}
			}
			file := c.String("out")
			if file == "" {
				file = fileName(o)
			}
			if err := writeNew(file, o); err != nil {
				return err
			}
			for _, f := range omaxml.CheckIDs(o) {
				f.File = filepath.ToSlash(file)
				fmt.Fprintln(c.Root().ErrWriter, faultLine(f))
			}
			fmt.Fprintf(c.Root().ErrWriter, "%s is written; describe your object in it, then run: lwm2mgen -out internal/objects %[1]s\n",
				filepath.ToSlash(file))
			return nil
		},
	}
}

// firstTestID is the first of the object IDs that OMA keeps for tests.
const firstTestID = 42769

// fileName returns the name of the file for an object: the letters and digits of its name.
func fileName(o registry.Object) string {
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return -1
	}, strings.ToLower(o.Name))
	if name == "" {
		name = fmt.Sprint(o.ID)
	}
	return name + ".xml"
}

// writeNew writes the definition of an object to start from into a new file.
func writeNew(file string, o registry.Object) error {
	var name, text bytes.Buffer
	if err := xml.EscapeText(&name, []byte(o.Name)); err != nil {
		return err
	}
	t := template.Must(template.New("new.xml").Parse(definitionTemplate))
	if err := t.Execute(&text, map[string]any{"ID": o.ID, "Name": name.String()}); err != nil {
		return err
	}
	if objects, faults := omaxml.ReadBytes(file, text.Bytes()); len(objects) != 1 {
		return fmt.Errorf("an object cannot have the name %q: %v", o.Name, faults)
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o777); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o666)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists and is not overwritten, choose another file with -out", filepath.ToSlash(file))
	}
	if err != nil {
		return err
	}
	_, err = f.Write(text.Bytes())
	return errors.Join(err, f.Close())
}
