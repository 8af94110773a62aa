package coap

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
)

// tool finds one of libcoap's programs. Only some builds support DTLS.
func tool(t *testing.T, name string, secure bool) string {
	t.Helper()
	builds := []string{name + "-openssl", name + "-gnutls", name}
	if !secure {
		builds = append([]string{name + "-notls"}, builds...)
	}
	for _, n := range builds {
		if p, err := exec.LookPath(n); err == nil {
			return p
		}
	}
	t.Skipf("%s is not installed: run interop/install", name)
	return ""
}

func TestLibcoapClientWithOurServer(t *testing.T) {
	for _, network := range []string{"udp", "tcp", "dtls"} {
		client := tool(t, "coap-client", network == "dtls")
		// run runs coap-client once. Each run is a new peer.
		run := func(t *testing.T, s *store, path string, args ...string) string {
			t.Helper()
			addr := serve(t, network, s)
			if network == "dtls" {
				args = append([]string{"-k", string(key), "-u", string(identity)}, args...)
			}
			args = append([]string{"-B", "30", "-v", "3"}, append(args, schemes[network]+"://"+addr+path)...)
			out, err := exec.CommandContext(t.Context(), client, args...).Output()
			if err != nil {
				t.Fatalf("coap-client %v: %v\n%s", args, err, out)
			}
			return string(out)
		}
		t.Run(network+"/get", func(t *testing.T) {
			if got := run(t, newStore(t), "/small"); strings.TrimSpace(got) != "22.5" {
				t.Errorf("%q", got)
			}
		})
		for _, size := range []string{"1024", "256", "16"} {
			t.Run(network+"/get in blocks of "+size, func(t *testing.T) {
				s, file := newStore(t), filepath.Join(t.TempDir(), "out")
				s.values["/some"] = pattern(5000)
				run(t, s, "/some", "-b", size, "-o", file)
				if b, err := os.ReadFile(file); err != nil || !bytes.Equal(b, pattern(5000)) {
					t.Errorf("%v, %d bytes", err, len(b))
				}
			})
		}
		t.Run(network+"/get a megabyte", func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "out")
			run(t, newStore(t), "/large", "-o", file)
			if b, err := os.ReadFile(file); err != nil || !bytes.Equal(b, pattern(megabyte)) {
				t.Errorf("%v, %d bytes", err, len(b))
			}
		})
		t.Run(network+"/put a megabyte", func(t *testing.T) {
			s, file := newStore(t), filepath.Join(t.TempDir(), "in")
			if err := os.WriteFile(file, pattern(megabyte), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, s, "/put", "-m", "put", "-f", file, "-b", "1024")
			if b := s.value("/put"); !bytes.Equal(b, pattern(megabyte)) {
				t.Errorf("%d bytes arrived", len(b))
			}
		})
		t.Run(network+"/fetch both ways in blocks", func(t *testing.T) {
			dir := t.TempDir()
			in, out := filepath.Join(dir, "in"), filepath.Join(dir, "out")
			if err := os.WriteFile(in, pattern(5000), 0o600); err != nil {
				t.Fatal(err)
			}
			run(t, newStore(t), "/echo", "-m", "fetch", "-f", in, "-b", "256", "-o", out)
			if b, err := os.ReadFile(out); err != nil || !bytes.Equal(b, pattern(5000)) {
				t.Errorf("%v, %d bytes", err, len(b))
			}
		})
		t.Run(network+"/non-confirmable", func(t *testing.T) {
			if got := run(t, newStore(t), "/small", "-N"); strings.TrimSpace(got) != "22.5" {
				t.Errorf("%q", got)
			}
		})
		t.Run(network+"/observe", func(t *testing.T) {
			s := newStore(t)
			got := run(t, s, "/tick", "-s", "1", "-w")
			if strings.Join(strings.Fields(got), "") != "01234" {
				t.Errorf("%q", got)
			}
			if why := <-s.ends; why != coap.ObserveDeregistered && why != coap.ObserveClosed {
				t.Errorf("the observation ended: %v", why)
			}
		})
		t.Run(network+"/observe in blocks", func(t *testing.T) {
			s := newStore(t)
			s.large = true
			got := run(t, s, "/tick", "-s", "1")
			for n := range byte(5) {
				if !strings.Contains(got, string(s.body(n))) {
					t.Errorf("notification %d did not come", n)
				}
			}
			<-s.ends
		})
	}
}

// serveLibcoap runs coap-server, which serves DTLS at the next port.
func serveLibcoap(t *testing.T, network string) string {
	t.Helper()
	server := tool(t, "coap-server", network == "dtls")
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	cmd := exec.CommandContext(t.Context(), server, "-A", "127.0.0.1", "-p", fmt.Sprint(port), "-d", "10", "-e", "-v", "3")
	if network == "dtls" {
		cmd.Args = append(cmd.Args, "-k", string(key))
	}
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	addr := fmt.Sprintf("127.0.0.1:%d", port)
	for range 100 {
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			if network == "dtls" {
				return fmt.Sprintf("127.0.0.1:%d", port+1)
			}
			return addr
		}
		<-time.After(50 * time.Millisecond)
	}
	t.Fatalf("coap-server does not listen:\n%s", out.String())
	return ""
}

func TestOurClientWithLibcoapServer(t *testing.T) {
	for _, network := range []string{"udp", "tcp", "dtls"} {
		t.Run(network, func(t *testing.T) {
			g := start(t, dial(t, network, serveLibcoap(t, network)), nil)
			if a := g.request(coap.GET, "/", nil); a.err != nil || a.code != coap.Content || !strings.Contains(string(a.body), "libcoap") {
				t.Fatalf("%+v", a)
			}
			if a := g.request(coap.GET, "/.well-known/core", nil); a.err != nil || a.format != 40 {
				t.Fatalf("%+v", a)
			}
			for _, size := range []int{10, 1024, 1025, 5000, megabyte} {
				path := fmt.Sprint("/new", size)
				if a := g.request(coap.PUT, path, pattern(size)); a.err != nil || a.code != coap.Created {
					t.Fatalf("put %d: %v %v %.80q", size, a.err, a.code, a.body)
				}
				if a := g.request(coap.GET, path, nil); a.err != nil || !bytes.Equal(a.body, pattern(size)) {
					t.Fatalf("get %d: %v %v, %d bytes", size, a.err, a.code, len(a.body))
				}
			}
			// A separate response after a second.
			if a := g.request(coap.GET, "/async", nil); a.err != nil || a.code != coap.Content {
				t.Fatalf("async: %+v", a)
			}
			call, notes := g.observe("/time")
			for range 3 {
				if a := next(t, notes); a.code != coap.Content || a.last {
					t.Fatalf("notification: %+v", a)
				}
			}
			out := make(chan answer, 1)
			g.do(func() {
				if err := call.Deregister(func(r coap.Result) { out <- keep(r) }); err != nil {
					t.Error(err)
				}
			})
			if a := <-out; a.err != nil || a.code != coap.Content {
				t.Errorf("deregistration: %+v", a)
			}
			pong := make(chan error, 1)
			g.do(func() {
				if err := g.conn.Ping(func(err error) { pong <- err }); err != nil {
					t.Error(err)
				}
			})
			if err := <-pong; err != nil {
				t.Errorf("ping: %v", err)
			}
		})
	}
}
