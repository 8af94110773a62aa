// Lwm2mgen turns LwM2M object definitions into Go packages.
//
//	lwm2mgen [-out DIR] [-names FILE] [-docs full|short] [-check] XML...
//	        generate one package per object
//	lwm2mgen lint [-names FILE] XML...
//	        report the faults of definitions
//	lwm2mgen show XML|ID[@VERSION]...
//	        print the resources of objects
//	lwm2mgen fetch ID[@VERSION]...
//	        download definitions from OMA's registry
//
// "lwm2mgen -help" and "lwm2mgen COMMAND -help" describe the flags.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"

	"github.com/urfave/cli/v3"
)

// Exit codes.
const (
	exitFailed = 1 // the input has a fault, or -check found a difference
	exitUsage  = 2 // the command line is not valid
)

func main() {
	cli.FlagStringer = flagLine
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args, os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

// run runs one command line and returns its exit code.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	root := rootCommand()
	root.Writer, root.ErrWriter = stdout, stderr
	err := root.Run(ctx, args)
	switch {
	case err == nil:
		return 0
	case errors.Is(err, errReported):
		return exitFailed
	}
	complain(stderr, err)
	var usage usageError
	if errors.As(err, &usage) {
		return exitUsage
	}
	return exitFailed
}

// errReported is the error of a command that has already printed its errors.
var errReported = errors.New("failed")

// usageError is the error of a command line that is not valid.
type usageError struct{ text, command string }

func (e usageError) Error() string { return fmt.Sprintf("%s; see %s -help", e.text, e.command) }

func rootCommand() *cli.Command {
	root := generateCommand()
	root.Commands = []*cli.Command{lintCommand(), showCommand(), fetchCommand()}
	for _, c := range append(root.Commands, root) {
		c.HideHelpCommand = true
		c.CustomHelpTemplate = helpTemplate
		c.CustomRootCommandHelpTemplate = helpTemplate
		c.OnUsageError = func(_ context.Context, c *cli.Command, err error, _ bool) error {
			text := strings.Replace(err.Error(), "flag provided but not defined", "there is no flag", 1)
			return usageError{text: text, command: c.FullName()}
		}
		c.ExitErrHandler = func(context.Context, *cli.Command, error) {} // run returns the code
	}
	return root
}

const helpTemplate = `{{.FullName}}: {{.Usage}}

Usage:

   {{.UsageText}}
{{if .VisibleCommands}}{{range .VisibleCommands}}   {{.UsageText}}
{{end}}{{end}}
{{.Description}}
{{if .VisibleFlags}}
Flags:
{{range .VisibleFlags}}
{{.}}{{end}}
{{end}}`

// flagLine returns the help line of a flag. It shows one dash, as the tools of Go do. The usage of
// a flag with a value starts with the name of the value in back quotes.
func flagLine(f cli.Flag) string {
	line, usage := "-"+strings.Join(f.Names(), ", -"), ""
	if d, ok := f.(cli.DocGenerationFlag); ok {
		usage = d.GetUsage()
	}
	if parts := strings.SplitN(usage, "`", 3); len(parts) == 3 {
		line += " " + parts[1]
		usage = strings.TrimSpace(parts[2])
	}
	return fmt.Sprintf("   %-12s  %s", line, usage)
}
