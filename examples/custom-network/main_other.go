//go:build !linux

// Command custom-network is an example for Linux: its network layer uses the system calls of Linux.
package main

import (
	"fmt"
	"os"
	"runtime"
)

func main() {
	fmt.Fprintf(os.Stderr, "This example is written on Linux's system calls and does not run on %s. The page docs/porting.md explains what another port needs.\n", runtime.GOOS)
	os.Exit(1)
}
