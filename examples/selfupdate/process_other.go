//go:build !unix

package main

import (
	"fmt"
	"os/exec"
)

// replacesRunning is false: the program that runs is renamed first, so a loss of power between two
// renames leaves it under the name of the previous one.
const replacesRunning = false

func isolate(*exec.Cmd) {}

// kill ends a process. What it has started ends when its standard input does.
func kill(cmd *exec.Cmd) { _ = cmd.Process.Kill() }

// become cannot replace the process: the supervisor ends, and the service manager starts the new
// program.
func become(path string) error {
	return fmt.Errorf("%s was updated: start it again", path)
}

// syncDir does nothing: directories cannot be synced here.
func syncDir(string) error { return nil }
