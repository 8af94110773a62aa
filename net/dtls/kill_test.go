package dtls

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/lwm2mgen/toolkit/net/internal/leaktest"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
)

// Environment of the device that TestKillLoop runs and kills.
const (
	envPort = "DTLS_TEST_KILL_PORT"
	envDir  = "DTLS_TEST_KILL_DIR"
	// If set, the device waits to be killed after its third Shutdown.
	envSuspend = "DTLS_TEST_KILL_SUSPEND"
)

// TestKillLoopDevice is the device of TestKillLoop. It runs in another process.
func TestKillLoopDevice(t *testing.T) {
	port, err := strconv.ParseUint(os.Getenv(envPort), 10, 16)
	if err != nil {
		t.Skip("TestKillLoop runs it")
	}
	sec := pskSecurity()
	sec.Sessions = &socket.FileSessions{Dir: os.Getenv(envDir)}
	buf := make([]byte, 100)
	for i := 0; ; i++ {
		sock, err := Dialer{}.NewSocket(socket.Config{Security: sec, Below: udp.Dialer{}})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		err = sock.Connect(ctx, socket.Endpoint{Host: "127.0.0.1", Port: uint16(port)})
		cancel()
		if err != nil {
			t.Fatal(err)
		}
		fmt.Printf("connected: %s\n", socket.Detect(sock).Session.Resumption())
		for j := range 1 + rand.IntN(5) {
			askEcho(t, sock, fmt.Appendf(nil, "%d/%d of %d", i, j, os.Getpid()), buf)
		}
		if i%8 == 7 {
			_ = sock.Close()
			continue
		}
		if err := socket.Detect(sock).Shutdowner.Shutdown(); err != nil {
			t.Fatal(err)
		}
		if i == 2 && os.Getenv(envSuspend) != "" {
			fmt.Println("suspended")
			select {}
		}
	}
}

// askEcho sends a message until an answer arrives. pion's server delivers a message before it
// records the new address of the device, so its first answer may go to the old one.
func askEcho(t *testing.T, sock socket.Socket, message, buf []byte) {
	t.Helper()
	for range 50 {
		if err := sock.Send(message); err != nil {
			t.Fatal(err)
		}
		sock.SetRecvDeadline(time.Now().Add(100 * time.Millisecond))
		_, err := sock.Recv(buf)
		if err == nil {
			return
		}
		if !errors.Is(err, socket.ErrTimeout) {
			t.Fatal(err)
		}
	}
	t.Fatal("the server does not answer")
}

// wire is a UDP proxy that records what the device sends.
type wire struct {
	front  *net.UDPConn
	server *net.UDPAddr
	done   sync.WaitGroup

	mu      sync.Mutex
	backs   map[string]*net.UDPConn
	retired []*net.UDPConn    // of earlier devices
	records map[string]string // by Connection ID, epoch and sequence number
	count   int
	reused  []string
	cids    map[string]bool
}

const killCID = 8

func newWire(t *testing.T, server net.Addr) *wire {
	front, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{front: front, server: server.(*net.UDPAddr), backs: make(map[string]*net.UDPConn), records: make(map[string]string), cids: make(map[string]bool)}
	w.done.Add(1)
	go w.forward()
	t.Cleanup(func() {
		_ = front.Close()
		w.mu.Lock()
		for _, b := range w.backs {
			_ = b.Close()
		}
		for _, b := range w.retired {
			_ = b.Close()
		}
		w.mu.Unlock()
		w.done.Wait()
	})
	return w
}

func (w *wire) forward() {
	defer w.done.Done()
	buf := make([]byte, 1<<16)
	for {
		n, from, err := w.front.ReadFromUDP(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			continue // the device was killed, and its port is unreachable
		}
		w.mu.Lock()
		w.capture(buf[:n])
		back := w.backs[from.String()]
		if back == nil {
			if back, err = net.DialUDP("udp4", nil, w.server); err != nil {
				w.mu.Unlock()
				continue
			}
			w.backs[from.String()] = back
			w.done.Add(1)
			go w.backward(back, from)
		}
		w.mu.Unlock()
		_, _ = back.Write(buf[:n])
	}
}

func (w *wire) backward(back *net.UDPConn, to *net.UDPAddr) {
	defer w.done.Done()
	buf := make([]byte, 1<<16)
	for {
		n, err := back.Read(buf)
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err == nil {
			_, _ = w.front.WriteToUDP(buf[:n], to)
		}
	}
}

// capture records every protected record. The same bytes again are a repetition of the network;
// other bytes are a reuse of the nonce.
func (w *wire) capture(datagram []byte) {
	for rest := datagram; len(rest) > 0; {
		h, record, after, ok := splitRecord(rest, killCID)
		if !ok {
			return
		}
		rest = after
		if h.typ != typeConnectionID {
			continue
		}
		key := fmt.Sprintf("%x %d %d", h.cid, h.epoch, h.seq)
		if old, seen := w.records[key]; seen && old != string(record) {
			w.reused = append(w.reused, key)
		}
		w.records[key] = string(record)
		w.cids[string(h.cid)] = true
		w.count++
	}
}

// cidServer is pion's server with Connection IDs. It echoes.
type cidServer struct {
	listener net.Listener
	serving  sync.WaitGroup
	accepted chan struct{}
	ended    context.Context
}

func newCIDServer(t *testing.T) *cidServer {
	l, err := pion.ListenWithOptions("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)},
		append(pskServer(), pion.WithConnectionIDGenerator(pion.RandomCIDGenerator(killCID)))...)
	if err != nil {
		t.Fatal(err)
	}
	ended, end := context.WithCancel(context.Background())
	s := &cidServer{listener: l, accepted: make(chan struct{}, 1000), ended: ended}
	s.serving.Go(s.accept)
	t.Cleanup(func() {
		end()
		_ = l.Close()
		s.serving.Wait()
	})
	return s
}

func (s *cidServer) accept() {
	for {
		c, err := s.listener.Accept()
		if err != nil {
			return
		}
		s.accepted <- struct{}{}
		s.serving.Go(func() { s.echo(c) })
	}
}

// echo serves one device, which may be killed at any moment, also during a handshake.
func (s *cidServer) echo(c net.Conn) {
	defer c.Close()
	// A device that is killed during its handshake leaves the server waiting: a read deadline does
	// not end that.
	ctx, cancel := context.WithTimeout(s.ended, 3*time.Second)
	defer cancel()
	if h, ok := c.(*pion.Conn); ok && h.HandshakeContext(ctx) != nil {
		return
	}
	defer context.AfterFunc(s.ended, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })()
	buf := make([]byte, 2000)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}

// TestKillLoop kills a device many times, alternately when it is suspended and at any moment, and
// looks for a nonce that is used twice on the wire.
func TestKillLoop(t *testing.T) {
	if testing.Short() {
		t.Skip("takes some seconds")
	}
	leaktest.Check(t)
	w := newWire(t, newCIDServer(t).listener.Addr())
	dir := t.TempDir()
	results := make(map[string]int)
	const rounds = 60
	for i := 0; i < rounds && !t.Failed(); i++ {
		w.forgetDevices()
		d := startDevice(t, w.front.LocalAddr().(*net.UDPAddr).Port, dir, i%2 == 0)
		first := d.run(results)
		if i%2 == 1 && first != socket.ConnectionIDResumed.String() {
			t.Errorf("round %d: the device that came after a suspended one began with a %s", i, first)
		}
		results["first: "+first]++
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	t.Logf("%d kills, %d protected records, %d keys, %v", rounds, w.count, len(w.cids), results)
	if len(w.reused) > 0 {
		t.Errorf("nonces used twice: %v", w.reused)
	}
	if results["first: new session"] == 0 {
		t.Errorf("no device restarted: %v", results)
	}
}

// device is one process of TestKillLoop's device.
type device struct {
	t        *testing.T
	cmd      *exec.Cmd
	lines    *bufio.Scanner
	suspends bool
}

// startDevice starts a device that is killed when it reports that it is suspended, or at some
// moment after it has connected.
func startDevice(t *testing.T, port int, dir string, suspends bool) *device {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestKillLoopDevice$")
	cmd.Env = append(os.Environ(), fmt.Sprint(envPort, "=", port), envDir+"="+dir)
	if suspends {
		cmd.Env = append(cmd.Env, envSuspend+"=1")
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	return &device{t, cmd, bufio.NewScanner(out), suspends}
}

// run counts the reports of the device about its connections until it is dead, and returns the
// first report.
func (d *device) run(results map[string]int) (first string) {
	d.t.Helper()
	for d.lines.Scan() {
		text, ok := strings.CutPrefix(d.lines.Text(), "connected: ")
		switch {
		case ok && first == "":
			first = text
			if !d.suspends {
				time.AfterFunc(time.Duration(rand.IntN(int(30*time.Millisecond))), func() { _ = d.cmd.Process.Kill() })
			}
		case ok:
			results[text]++
		case d.lines.Text() == "suspended":
			_ = d.cmd.Process.Kill()
		default:
			d.t.Errorf("the device says %q", d.lines.Text())
			_ = d.cmd.Process.Kill()
		}
	}
	_ = d.cmd.Wait()
	return first
}

// forgetDevices makes the datagrams of later devices come from new ports, and keeps the ports of
// the earlier ones. A device that gets the port of a killed one by chance would otherwise be the
// same peer for pion's server, which hears no ClientHello from an address that has a connection.
func (w *wire) forgetDevices() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.backs {
		w.retired = append(w.retired, b)
	}
	clear(w.backs)
}

// rebind makes later datagrams come from new ports.
func (w *wire) rebind() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, b := range w.backs {
		_ = b.Close()
	}
	clear(w.backs)
}

// TestConnectionIDThroughProxy: the client's port changes during a connection over real sockets.
func TestConnectionIDThroughProxy(t *testing.T) {
	leaktest.Check(t)
	server := newCIDServer(t)
	w := newWire(t, server.listener.Addr())
	s, err := Dialer{Below: udp.Dialer{}}.NewSocket(socket.Config{Security: pskSecurity()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	mustConnect(t, s, socket.Endpoint{Host: "127.0.0.1", Port: uint16(w.front.LocalAddr().(*net.UDPAddr).Port)})
	mustEcho(t, s, "before")
	for i := range 3 {
		w.rebind()
		mustEcho(t, s, fmt.Sprint("after rebinding ", i))
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(server.accepted) != 1 || len(w.cids) != 1 {
		t.Errorf("%d connections with %d Connection IDs", len(server.accepted), len(w.cids))
	}
}
