// Package relay stands between a device and a server over UDP, as a NAT does: it can give the
// device another address, and it counts what passes.
package relay

import (
	"encoding/binary"
	"errors"
	"net"
	"sync"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
)

// Relay forwards datagrams on the loopback interface until the end of the test.
type Relay struct {
	front  *net.UDPConn
	server *net.UDPAddr
	done   sync.WaitGroup

	mu     sync.Mutex
	device *net.UDPAddr // the address from which it sent last
	back   *net.UDPConn
	seen   Traffic
	ports  map[uint16]bool
}

// Traffic counts what a device and its server have sent.
type Traffic struct {
	Datagrams    int // of both sides
	Handshake    int // plaintext messages of DTLS, of both sides
	KeyExchanges int // ClientKeyExchange messages
	WithCID      int // records of DTLS with a Connection ID, of the device
}

// New starts a relay to a server on a port of the loopback interface.
func New(t *testing.T, server uint16) *Relay {
	t.Helper()
	front, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	r := &Relay{front: front, server: &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1), Port: int(server)}, ports: make(map[uint16]bool)}
	r.done.Go(func() { r.forward(t) })
	t.Cleanup(func() {
		_ = front.Close()
		r.Rebind()
		r.done.Wait()
	})
	return r
}

// Endpoint returns the address to which the device sends.
func (r *Relay) Endpoint() socket.Endpoint {
	return socket.Endpoint{Host: "127.0.0.1", Port: uint16(r.front.LocalAddr().(*net.UDPAddr).Port)}
}

func (r *Relay) forward(t *testing.T) {
	buf := make([]byte, 1<<16)
	for {
		n, device, err := r.front.ReadFromUDP(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		r.mu.Lock()
		r.device = device
		r.seen.count(buf[:n], true)
		if r.back == nil {
			if r.back, err = net.DialUDP("udp4", nil, r.server); err != nil {
				t.Error(err)
				r.mu.Unlock()
				return
			}
			r.ports[uint16(r.back.LocalAddr().(*net.UDPAddr).Port)] = true
			back := r.back
			r.done.Go(func() { r.backward(back) })
		}
		_, _ = r.back.Write(buf[:n])
		r.mu.Unlock()
	}
}

func (r *Relay) backward(back *net.UDPConn) {
	buf := make([]byte, 1<<16)
	for {
		n, err := back.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue
		}
		r.mu.Lock()
		r.seen.count(buf[:n], false)
		device := r.device
		r.mu.Unlock()
		_, _ = r.front.WriteToUDP(buf[:n], device)
	}
}

// Rebind makes later datagrams of the device reach the server from another port.
func (r *Relay) Rebind() {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.back != nil {
		_ = r.back.Close()
		r.back = nil
	}
}

// Ports returns from how many ports datagrams have reached the server.
func (r *Relay) Ports() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.ports)
}

// Take returns the traffic since the last call.
func (r *Relay) Take() Traffic {
	r.mu.Lock()
	defer r.mu.Unlock()
	seen := r.seen
	r.seen = Traffic{}
	return seen
}

// count counts a datagram and its records (RFC 6347 §4.1), up to one with a Connection ID, whose
// length only the server knows.
func (t *Traffic) count(b []byte, fromDevice bool) {
	t.Datagrams++
	const header, handshake, withCID, clientKeyExchange = 13, 22, 25, 16
	for len(b) > header {
		if b[0] == withCID {
			if fromDevice {
				t.WithCID++
			}
			return
		}
		end := min(header+int(binary.BigEndian.Uint16(b[11:])), len(b))
		if epoch := binary.BigEndian.Uint16(b[3:]); b[0] == handshake && epoch == 0 {
			t.Handshake++
			if fromDevice && b[header] == clientKeyExchange {
				t.KeyExchanges++
			}
		}
		b = b[end:]
	}
}
