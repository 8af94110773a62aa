package udp

import (
	"net"
	"runtime"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"github.com/lwm2mgen/toolkit/net/internal/loopbacktest"
	"github.com/lwm2mgen/toolkit/net/internal/osnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

// echoer takes one datagram and sends it back.
type echoer func(buf []byte) error

// pair is an echoer with the socket that talks to it.
type pair struct {
	echo echoer
	far  *net.UDPConn
}

// connectedTo returns a UDP socket for the far side, and its address.
func farSide(tb testing.TB) *net.UDPConn {
	tb.Helper()
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = c.Close() })
	return c
}

// bareConnected echoes on a connected net.UDPConn.
func bareConnected(tb testing.TB) pair {
	far := farSide(tb)
	near, err := net.DialUDP("udp4", nil, far.LocalAddr().(*net.UDPAddr))
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = near.Close() })
	return pair{far: reverse(tb, far, near.LocalAddr()), echo: func(buf []byte) error {
		n, err := near.Read(buf)
		if err == nil {
			_, err = near.Write(buf[:n])
		}
		return err
	}}
}

// bareUnconnected echoes on a net.UDPConn to the sender.
func bareUnconnected(tb testing.TB) pair {
	far, near := farSide(tb), farSide(tb)
	return pair{far: reverse(tb, far, near.LocalAddr()), echo: func(buf []byte) error {
		n, from, err := near.ReadFromUDPAddrPort(buf)
		if err == nil {
			_, err = near.WriteToUDPAddrPort(buf[:n], from)
		}
		return err
	}}
}

// ours echoes on a socket.Socket.
func ours(tb testing.TB) pair {
	far := farSide(tb)
	s, err := Dialer{}.NewSocket(socket.Config{})
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { _ = s.Close() })
	if err := s.Connect(tb.Context(), loopbacktest.Endpoint(osnet.AddrPort(far.LocalAddr()))); err != nil {
		tb.Fatal(err)
	}
	local := socket.Detect(s).Addresses.LocalAddr()
	return pair{far: reverse(tb, far, net.UDPAddrFromAddrPort(local)), echo: func(buf []byte) error {
		n, err := s.Recv(buf)
		if err == nil {
			err = s.Send(buf[:n])
		}
		return err
	}}
}

// reverse connects the far side, so that it is equally cheap for all.
func reverse(tb testing.TB, far *net.UDPConn, to net.Addr) *net.UDPConn {
	tb.Helper()
	raw, err := far.SyscallConn()
	if err != nil {
		tb.Fatal(err)
	}
	a := to.(*net.UDPAddr).AddrPort()
	var failed error
	err = raw.Control(func(fd uintptr) {
		failed = syscall.Connect(int(fd), &syscall.SockaddrInet4{Port: int(a.Port()), Addr: a.Addr().Unmap().As4()})
	})
	if err != nil || failed != nil {
		tb.Fatal(err, failed)
	}
	return far
}

const window = 64 // datagrams outstanding

// round sends a window of datagrams, waits for the echoes, and returns the CPU time of the echoer
// alone.
func (p pair) round(tb testing.TB, raw syscall.RawConn, msg, buf []byte) time.Duration {
	each := func(what string, f func(fd int) error) {
		for range window {
			var failed error
			if err := raw.Control(func(fd uintptr) { failed = f(int(fd)) }); err != nil || failed != nil {
				tb.Fatal(what, err, failed)
			}
		}
	}
	each("far send", func(fd int) error { _, err := syscall.Write(fd, msg); return err })
	start := threadTime()
	for range window {
		if err := p.echo(buf); err != nil {
			tb.Fatal(err)
		}
	}
	used := threadTime() - start
	each("far recv", func(fd int) error { _, err := syscall.Read(fd, buf); return err })
	return used
}

// threadTime returns the CPU time of this thread, without that of other work of the machine.
func threadTime() time.Duration {
	const clockThreadCPU = 3
	var t syscall.Timespec
	_, _, _ = syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockThreadCPU, uintptr(unsafe.Pointer(&t)), 0)
	return time.Duration(t.Nano())
}

// BenchmarkEcho compares the CPU time of an echo through net/socket with that of one on a bare
// net.UDPConn, in turns in one run. x-connected and x-unconnected are the ratios; the aim is at
// most 1.04.
func BenchmarkEcho(b *testing.B) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	pairs := []pair{ours(b), bareConnected(b), bareUnconnected(b)}
	raws := make([]syscall.RawConn, len(pairs))
	for i, p := range pairs {
		raw, err := p.far.SyscallConn()
		if err != nil {
			b.Fatal(err)
		}
		raws[i] = raw
	}
	used := make([]time.Duration, len(pairs))
	msg, buf := make([]byte, 20), make([]byte, 1500)
	rounds := 0
	for b.Loop() {
		for i, p := range pairs {
			used[i] += p.round(b, raws[i], msg, buf)
		}
		rounds++
	}
	per := func(i int) float64 { return float64(used[i].Nanoseconds()) / float64(rounds*window) }
	b.ReportMetric(per(0), "ns/echo")
	b.ReportMetric(per(0)/per(1), "x-connected")
	b.ReportMetric(per(0)/per(2), "x-unconnected")
}

// BenchmarkSendRecv shows what one datagram costs and allocates.
func BenchmarkSendRecv(b *testing.B) {
	p := ours(b)
	msg, buf := make([]byte, 20), make([]byte, 1500)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := p.far.Write(msg); err != nil {
			b.Fatal(err)
		}
		if err := p.echo(buf); err != nil {
			b.Fatal(err)
		}
		if _, err := p.far.Read(buf); err != nil {
			b.Fatal(err)
		}
	}
}

func TestNoAllocations(t *testing.T) {
	far := farSide(t)
	s, err := Dialer{}.NewSocket(socket.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if err := s.Connect(t.Context(), loopbacktest.Endpoint(osnet.AddrPort(far.LocalAddr()))); err != nil {
		t.Fatal(err)
	}
	reverse(t, far, net.UDPAddrFromAddrPort(socket.Detect(s).Addresses.LocalAddr()))
	msg, buf := make([]byte, 20), make([]byte, 1500)
	for name, deadline := range map[string]time.Time{"none": {}, "a deadline": time.Now().Add(time.Hour), "NoWait": socket.NoWait()} {
		n := testing.AllocsPerRun(500, func() {
			_, _ = far.Write(msg)
			s.SetRecvDeadline(deadline)
			if _, err := s.Recv(buf); err != nil {
				t.Fatal(err)
			}
			if err := s.Send(buf[:20]); err != nil {
				t.Fatal(err)
			}
			_, _ = far.Read(buf)
			// Which works through package net, whose time-outs are allocated.
			if deadline == socket.NoWait() && runtime.GOARCH != "386" {
				if _, err := s.Recv(buf); err != socket.ErrTimeout {
					t.Fatal(err)
				}
			}
		})
		if n != 0 {
			t.Errorf("with %s: %v allocations per datagram", name, n)
		}
	}
}

// BenchmarkEchoWaiting is one datagram outstanding: the echoer waits for each one in a goroutine of
// its own. cpu-ns/echo is the CPU time of the whole process, both sides.
func BenchmarkEchoWaiting(b *testing.B) {
	for _, v := range []struct {
		name string
		make func(testing.TB) pair
	}{{"socket", ours}, {"connected", bareConnected}, {"unconnected", bareUnconnected}} {
		b.Run(v.name, func(b *testing.B) {
			p := v.make(b)
			go func() {
				buf := make([]byte, 1500)
				for p.echo(buf) == nil {
				}
			}()
			msg, buf := make([]byte, 20), make([]byte, 1500)
			start, echoes := processTime(), 0
			for b.Loop() {
				if _, err := p.far.Write(msg); err != nil {
					b.Fatal(err)
				}
				if _, err := p.far.Read(buf); err != nil {
					b.Fatal(err)
				}
				echoes++
			}
			b.ReportMetric(float64((processTime()-start).Nanoseconds())/float64(echoes), "cpu-ns/echo")
		})
	}
}

// processTime returns the CPU time of the process.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
