// Lwm2mgen turns LwM2M object definitions into Go packages.
//
//	lwm2mgen [-out DIR] [-names FILE] [-docs full|short] [-check] [-q] XML...
//	        generate one package per object
//	lwm2mgen new [-id ID] [-out FILE] -name NAME
//	        write a definition to start from
//	lwm2mgen lint [-names FILE] [-json] [-q] XML...
//	        report the faults of definitions
//	lwm2mgen show XML|ID[@VERSION]...
//	        print the resources of objects
//	lwm2mgen fetch ID[@VERSION]...
//	        download definitions from OMA's registry
//	lwm2mgen completion bash|zsh|fish|pwsh
//	        print a script for the shell
//
// "lwm2mgen help" and "lwm2mgen help COMMAND" describe the flags, "lwm2mgen -version" prints the
// version. The exit status is 1 if the input has an error, and 2 if the command line has one.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime"
	"runtime/debug"
	"slices"
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
	root.Commands = []*cli.Command{newCommand(), lintCommand(), showCommand(), fetchCommand(), helpCommand()}
	root.EnableShellCompletion = true
	root.ConfigureShellCompletionCommand = completeCommand
	for _, c := range append(root.Commands, root) {
		prepare(c)
	}
	return root
}

// prepare makes a command print help and errors in our words.
func prepare(c *cli.Command) {
	c.HideHelpCommand = true
	c.CustomHelpTemplate = helpTemplate
	c.CustomRootCommandHelpTemplate = helpTemplate
	c.ShellComplete = complete
	c.OnUsageError = func(_ context.Context, c *cli.Command, err error, _ bool) error {
		text := strings.Replace(err.Error(), "flag provided but not defined", "there is no flag", 1)
		return usageError{text: text, command: c.FullName()}
	}
	c.ExitErrHandler = func(context.Context, *cli.Command, error) {} // run returns the code
}

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:        "help",
		Usage:       "prints the help of lwm2mgen or of a command",
		UsageText:   "lwm2mgen help [COMMAND]",
		Description: "help COMMAND prints the same as COMMAND -help.",
		Action: func(_ context.Context, c *cli.Command) error {
			root := rootCommand()
			root.Writer, root.ErrWriter = c.Root().Writer, c.Root().ErrWriter
			args := c.Args().Slice()
			if len(args) > 0 && c.Root().Command(args[0]) == nil {
				return usageError{text: fmt.Sprintf("there is no command %s; the commands are %s", args[0], commandNames(c.Root())),
					command: c.Root().FullName()}
			}
			// the library takes the parent of a command from the context
			return root.Run(context.Background(), slices.Concat([]string{root.Name}, args, []string{"-help"}))
		},
	}
}

// commandNames lists the names of the commands in words.
func commandNames(root *cli.Command) string {
	var names []string
	for _, c := range root.VisibleCommands() {
		names = append(names, c.Name)
	}
	last := len(names) - 1
	return strings.Join(names[:last], ", ") + " and " + names[last]
}

// version returns the version of the module that the program was built from.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "lwm2mgen (unknown version)"
	}
	v := info.Main.Version // of the toolkit, unless "go tool" builds it for another module
	for _, dep := range info.Deps {
		if dep.Path == modulePath {
			v = dep.Version
		}
	}
	return fmt.Sprintf("lwm2mgen %s %s %s/%s", v, info.GoVersion, runtime.GOOS, runtime.GOARCH)
}

const modulePath = "github.com/lwm2mgen/toolkit"

const helpTemplate = `{{.FullName}}: {{.Usage}}

Usage:

   {{.UsageText}}
{{if .VisibleCommands}}{{range .VisibleCommands}}   {{.UsageText}}
{{end}}   lwm2mgen help [COMMAND]
{{end}}
{{.Description}}
{{if .VisibleFlags}}
Flags:
{{range .VisibleFlags}}
{{.}}{{end}}
{{end}}`

// flagLine returns the help line of a flag. It shows one dash, as the tools of Go do. The usage of
// a flag with a value starts with the name of the value in back quotes.
func flagLine(f cli.Flag) string {
	value, usage := describeFlag(f)
	line := "-" + strings.Join(f.Names(), ", -")
	if value != "" {
		line += " " + value
	}
	return fmt.Sprintf("   %-16s  %s", line, usage)
}

// describeFlag returns the name of a flag's value, if it has one, and what the flag is for.
func describeFlag(f cli.Flag) (value, usage string) {
	if d, ok := f.(cli.DocGenerationFlag); ok {
		usage = d.GetUsage()
	}
	if parts := strings.SplitN(usage, "`", 3); len(parts) == 3 {
		value, usage = parts[1], strings.TrimSpace(parts[2])
	}
	return value, usage
}
