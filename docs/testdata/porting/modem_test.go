package muxnet

import (
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"sync"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
	"github.com/lwm2mgen/toolkit/net/udp"
)

// TestPort runs the kit on the port. The other end of the serial line is a modem that has UDP.
func TestPort(t *testing.T) {
	sockettest.Run(t, func(t testing.TB) sockettest.Rig {
		l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = l.Close() })
		serial, far := net.Pipe()
		m := &modem{port: far, conns: make(map[uint32]net.Conn)}
		m.ended.Go(m.serve)
		t.Cleanup(func() {
			_ = serial.Close()
			m.ended.Wait()
		})
		return sockettest.Rig{
			Dialer: socket.NewConnDialer(New(serial).Dial, "coap"),
			Remote: socket.Endpoint{Host: "127.0.0.1", Port: l.Addr().Port()}, Peer: l,
		}
	})
}

// modem forwards the datagrams of each channel.
type modem struct {
	port  net.Conn
	ended sync.WaitGroup

	mu    sync.Mutex // guards writes to the port
	conns map[uint32]net.Conn
}

func (m *modem) serve() {
	defer func() {
		for _, c := range m.conns {
			_ = c.Close()
		}
	}()
	for head := make([]byte, 7); ; {
		if _, err := io.ReadFull(m.port, head); err != nil {
			return
		}
		p := make([]byte, binary.BigEndian.Uint16(head[5:]))
		if _, err := io.ReadFull(m.port, p); err != nil {
			return
		}
		switch id := binary.BigEndian.Uint32(head[1:]); head[0] {
		case 'O':
			c, err := net.Dial("udp", string(p))
			if err != nil {
				return
			}
			m.conns[id] = c
			m.ended.Go(func() { m.forward(id, c) })
		case 'D':
			_, _ = m.conns[id].Write(p)
		case 'C':
			_ = m.conns[id].Close()
			delete(m.conns, id)
		}
	}
}

func (m *modem) forward(id uint32, c net.Conn) {
	for buf := make([]byte, 1<<16); ; {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		frame := binary.BigEndian.AppendUint32([]byte{'D'}, id)
		frame = binary.BigEndian.AppendUint16(frame, uint16(n))
		m.mu.Lock()
		_, err = m.port.Write(append(frame, buf[:n]...))
		m.mu.Unlock()
		if err != nil {
			return
		}
	}
}
