package main

import (
	"context"
	"fmt"
	"slices"

	"github.com/urfave/cli/v3"

	"github.com/lwm2mgen/toolkit/gen"
	"github.com/lwm2mgen/toolkit/registry"
)

func lintCommand() *cli.Command {
	return &cli.Command{
		Name:      "lint",
		Usage:     "reports the faults of object definitions",
		UsageText: "lwm2mgen lint [-names FILE] XML...",
		Description: `lint prints one line for each fault, "file: object/resource: what is wrong, what to do", and fails if
there are any. This includes faults for which generation only warns, such as names that collide.

Examples:

   lwm2mgen lint xml/3303.xml
   lwm2mgen lint -names xml/names 'xml/*.xml'`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "names", Usage: "`FILE` Go names and secrets, as for generation"},
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
			_, faults := gen.Generate(l.defs, gen.Options{Names: names})
			faults = append(l.faults, faults...)
			slices.SortStableFunc(faults, registry.Fault.Compare)
			for _, f := range faults {
				fmt.Fprintln(c.Root().Writer, faultLine(f))
			}
			if len(faults) > 0 || l.failed {
				return errReported
			}
			return nil
		},
	}
}
