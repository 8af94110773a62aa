//go:build !windows && !plan9 && !js && !wasip1

package socket

import "os"

func syncDirectory(d *os.File) error { return d.Sync() }
