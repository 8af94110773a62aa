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
		Description: `The newest version of object 3303 is written to DIR/3303.xml, version 1.0 to DIR/3303-1_0.xml. The SHA-256
sums are written to DIR/` + fetch.LockName + `, in the format of sha256sum. Keep that file under version control. A file
with the right sum is not downloaded again. A download with another sum is refused. Without IDs, fetch
downloads the missing files that the lock file lists.

Examples:

   lwm2mgen fetch -dir xml 3303 3308@1.0
   lwm2mgen fetch -dir xml
   lwm2mgen fetch -dir xml -mirror https://example.com/lwm2m-registry 3303`,
		Flags: []cli.Flag{
			&cli.StringFlag{Name: "dir", Value: ".",
				Usage: "`DIR` the folder of the definitions; default: the current folder"},
			&cli.StringFlag{Name: "mirror", Value: fetch.Registry,
				Usage: "`URL` a copy of OMA's repository; default: " + fetch.Registry},
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
