//go:build !unix

package udp

// truncated is the flag of a datagram that was cut off; Windows reports an error, too.
const truncated = 0x100
