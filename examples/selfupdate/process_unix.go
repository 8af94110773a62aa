//go:build unix

package main

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
)

// replacesRunning is true where a rename may replace a program that runs.
const replacesRunning = true

// isolate puts a process into a group of its own: a ^C reaches the supervisor alone, and killGroup
// reaches what the process has started.
func isolate(cmd *exec.Cmd) { cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} }

// killGroup ends what is left of the group of a process, which may have ended itself.
func killGroup(cmd *exec.Cmd) {
	if cmd.Process != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // fails if nothing is left
	}
}

// become replaces this process by a program with the same arguments. It returns only after an
// error.
func become(path string) error {
	return syscall.Exec(path, append([]string{path}, os.Args[1:]...), os.Environ())
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
