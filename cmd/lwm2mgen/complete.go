package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/urfave/cli/v3"
)

// completeCommand describes the command that prints completion scripts, which the CLI library
// makes.
func completeCommand(c *cli.Command) {
	c.Hidden = false
	c.Usage = "prints a script that completes commands and flags in a shell"
	c.UsageText = "lwm2mgen completion bash|zsh|fish|pwsh"
	c.Description = `The script completes the name lwm2mgen, so the program must be installed: go install
github.com/lwm2mgen/toolkit/cmd/lwm2mgen@latest

Examples:

   source <(lwm2mgen completion bash)
   lwm2mgen completion fish > ~/.config/fish/completions/lwm2mgen.fish`
	c.Action = func(_ context.Context, c *cli.Command) error {
		return usageError{text: "name one of the shells bash, zsh, fish and pwsh", command: c.FullName()}
	}
	prepare(c)
	for _, shell := range c.Commands {
		prepare(shell)
	}
}

// complete prints what may come next on a command line, as the completion scripts expect it: a name
// and an explanation on each line. Where files may come next, the shell completes them.
func complete(_ context.Context, c *cli.Command) {
	w := c.Root().Writer
	last := ""
	if n := c.Args().Len(); n > 0 {
		last = c.Args().Get(n - 1)
	}
	if !strings.HasPrefix(last, "-") {
		for _, command := range c.VisibleCommands() {
			fmt.Fprintf(w, "%s:%s\n", command.Name, command.Usage)
		}
		return
	}
	dashes := last[:len(last)-len(strings.TrimLeft(last, "-"))]
	for _, f := range c.VisibleFlags() {
		for _, name := range f.Names() {
			if strings.HasPrefix(dashes+name, last) {
				_, usage := describeFlag(f)
				fmt.Fprintf(w, "%s%s:%s\n", dashes, name, usage)
			}
		}
	}
}
