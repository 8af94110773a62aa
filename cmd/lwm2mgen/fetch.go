package main

import (
	"context"
	"fmt"

	"github.com/urfave/cli/v3"

	"github.com/lwm2mgen/toolkit/cmd/lwm2mgen/internal/fetch"
)

func fetchCommand() *cli.Command {
	return &cli.Command{
		Name:      "fetch",
		Usage:     "downloads object definitions from OMA's registry",
		UsageText: "lwm2mgen fetch [-dir DIR] [-mirror URL] ID[@VERSION]...",
		Description: `The newest version of object 3303 becomes DIR/3303.xml, its version 1.0 DIR/3303-1_0.xml. Their SHA-256
sums are kept in DIR/` + fetch.LockName + `, in the format of sha256sum: keep that file under version control. A file
whose sum is right is not downloaded again, and a download whose sum differs is refused. Without IDs, fetch
downloads what the lock file lists and is missing.

Examples:

   lwm2mgen fetch -dir xml 3303 3308@1.0
   lwm2mgen fetch -dir xml
   lwm2mgen fetch -dir xml -mirror https://example.com/lwm2m-registry 3303`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: ".", Usage: "`DIR` the folder of the definitions; the current one when not given"},
			&cli.StringFlag{Name: "mirror", Value: fetch.Registry, Usage: "`URL` a copy of OMA's repository, in place of " + fetch.Registry},
		},
		Action: func(ctx context.Context, c *cli.Command) error {
			var refs []fetch.Ref
			for _, a := range c.Args().Slice() {
				ref, err := fetch.ParseRef(a)
				if err != nil {
					return usageError{text: err.Error(), command: c.FullName()}
				}
				refs = append(refs, ref)
			}
			f := fetch.Fetcher{Dir: c.String("dir"), Mirror: c.String("mirror"), Progress: func(line string) {
				fmt.Fprintln(c.Root().ErrWriter, line)
			}}
			if err := f.Fetch(ctx, refs); err != nil {
				complain(c.Root().ErrWriter, err)
				return errReported
			}
			return nil
		},
	}
}
