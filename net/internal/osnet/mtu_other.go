//go:build !linux

package osnet

// pathMTU is what the system knows of the path of the connected socket fd; zero if it does not tell, as here.
func pathMTU(uintptr, bool) int { return 0 }
