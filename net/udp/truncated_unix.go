//go:build unix && (!linux || 386)

package udp

import "syscall"

// truncated is the flag of a datagram that was cut off.
const truncated = syscall.MSG_TRUNC
