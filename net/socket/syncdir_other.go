//go:build windows || plan9 || js || wasip1

package socket

import "os"

// syncDirectory does nothing: directories cannot be synchronized here.
func syncDirectory(*os.File) error { return nil }
