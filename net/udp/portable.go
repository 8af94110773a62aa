package udp

import (
	"errors"
	"os"
	"syscall"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// instant is the duration of an attempt where the system has no calls that do not wait.
const instant = time.Millisecond

// sendPortably sends with package net alone. It waits for an instant if the system has no room.
func (c *conn) sendPortably(p []byte) error {
	if err := c.udp.SetWriteDeadline(time.Now().Add(instant)); err != nil {
		return err
	}
	_, err := c.udp.Write(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return syscall.EAGAIN
	}
	return err
}

// recvPortably receives with package net alone: until the deadline of the connection, or for an
// instant, after which the connection has a deadline that has passed.
func (c *conn) recvPortably(p []byte, wait bool) (int, error) {
	if !wait {
		if err := c.udp.SetReadDeadline(time.Now().Add(instant)); err != nil {
			return 0, err
		}
	}
	n, _, flags, _, err := c.udp.ReadMsgUDPAddrPort(p, nil)
	if flags&truncated != 0 || err != nil && errors.Is(socket.WrapError(err), socket.ErrMessageTooLong) {
		return min(n, len(p)), socket.ErrMessageTooLong
	}
	return max(n, 0), err
}
