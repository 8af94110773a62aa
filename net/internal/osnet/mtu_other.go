//go:build !linux

package osnet

// pathMTU returns zero: this system does not report the MTU of a path.
func pathMTU(uintptr, bool) int { return 0 }
