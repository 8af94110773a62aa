package osnet

import "syscall"

// pathMTU returns the MTU of the path of the connected socket fd, zero if the system does not know
// it.
func pathMTU(fd uintptr, ipv4 bool) int {
	level, option := syscall.IPPROTO_IPV6, syscall.IPV6_MTU
	if ipv4 {
		level, option = syscall.IPPROTO_IP, syscall.IP_MTU
	}
	mtu, err := syscall.GetsockoptInt(int(fd), level, option)
	if err != nil {
		return 0
	}
	return mtu
}
