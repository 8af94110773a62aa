package osnet

import "net/netip"

// Sizes of headers in bytes.
const (
	headerIPv4 = 20
	headerIPv6 = 40
	headerUDP  = 8
	headerTCP  = 20
)

// FallbackMTU is the MTU where the system does not know it: every IPv6 link carries it (RFC 8200
// §5).
const FallbackMTU = 1280

// maxPacket is the largest length that an IPv4 header, or a UDP header over IPv6, can hold.
const maxPacket = 65535

// UDPPayload returns how much of a packet of mtu bytes to remote is left for a datagram.
func UDPPayload(mtu int, remote netip.Addr) int { return payload(mtu, remote, headerUDP) }

// TCPPayload returns how much of a packet of mtu bytes to remote is left for a segment.
func TCPPayload(mtu int, remote netip.Addr) int { return payload(mtu, remote, headerTCP) }

func payload(mtu int, remote netip.Addr, header int) int {
	if remote.Is4() {
		return min(mtu, maxPacket) - headerIPv4 - header
	}
	return min(mtu, maxPacket) - headerIPv6 - header
}
