//go:build !unix

package tcp

import (
	"errors"
	"net"
)

// shortQueue has a listener keep as few connections waiting as the system allows; it is not known
// how here.
func shortQueue(*net.TCPListener) error { return errors.ErrUnsupported }
