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

// killGroup does nothing: what a process has started ends when its standard input does.
func killGroup(*exec.Cmd) {}

// become cannot replace the process: the supervisor ends, and the service manager starts the new
// program.
func become(path string) error {
	return fmt.Errorf("%s was updated: start it again", path)
}

// syncDir does nothing: directories cannot be synced here.
func syncDir(string) error { return nil }
