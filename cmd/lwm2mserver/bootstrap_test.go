package main

import (
	"bytes"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// startFactoryDevice runs a device that knows its bootstrap server alone, until the test ends.
func startFactoryDevice(t *testing.T, name string, boot lwm2m.Server, serverBootstrap bool) {
	t.Helper()
	boot.Bootstrap = true
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: name, Servers: []lwm2m.Server{boot}, ServerBootstrap: serverBootstrap,
		Dialers: []socket.Dialer{udp.Dialer{}, dtls.Dialer{}, tcp.Dialer{}, tls.Dialer{}},
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)), ShutdownTimeout: time.Second,
	})
	if err != nil {
		t.Fatal(err)
	}
	(&testDevice{client: client}).start(t)
}

// hidePorts replaces the URI of the server, whose port differs from run to run.
func hidePorts(p *program, text string) string {
	return strings.ReplaceAll(text, p.server.URI(), "coap://SERVER")
}

// TestBootstrapSession runs the commands of testdata/bootstrap/*.session on devices that have
// nothing but the account of the bootstrap server.
func TestBootstrapSession(t *testing.T) {
	files, err := filepath.Glob("testdata/bootstrap/*.session")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			o := options{
				json:      strings.Contains(file, "json"),
				bootstrap: list{"testdata/bootstrap/boot.yaml", "bad-1=testdata/bootstrap/bad.yaml"},
			}
			p := newProgram(t, o, "coap://127.0.0.1:0")
			startFactoryDevice(t, "probe-1", lwm2m.Server{URI: p.server.URI()}, true)
			startFactoryDevice(t, "bad-1", lwm2m.Server{URI: p.server.URI()}, false)
			got := hidePorts(p, playSession(t, p, nil, string(want)))
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("%s differs; with -update it becomes:\n%s", file, got)
			}
		})
	}
}

// A device with the flags that the command flags prints is bootstrapped over every transport, and
// registers with the keys that the file takes from the folder of the server.
func TestBootstrapOverEveryTransport(t *testing.T) {
	const psk, certificate = `
    psk:
      identity: device
      key: {hex-file: "${keys}/psk.txt"}`, `
    certificate:
      chain: ${keys}/device.pem
      key: ${keys}/device-key.pem
      server: ${keys}/server.pem`
	for _, c := range []struct{ scheme, name, keys string }{
		{"coap", "NoSec", ""}, {"coap+tcp", "NoSec", ""}, {"coaps", "PSK", psk}, {"coaps", "certificates", certificate},
		{"coaps+tcp", "certificates", certificate},
	} {
		t.Run(c.scheme+" "+c.name, func(t *testing.T) {
			file := filepath.Join(t.TempDir(), "boot.yaml")
			if err := os.WriteFile(file, []byte("servers:\n  - uri: ${"+c.scheme+"}"+c.keys+"\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			p := newProgram(t, options{bootstrap: list{file}}, c.scheme+"://127.0.0.1:0")
			flags := clientFlags(p.listeners, p.keys)
			account := parseAccount(t, flags[0])
			if c.name == "certificates" {
				account = parseAccount(t, flags[len(flags)-1])
			}
			startFactoryDevice(t, "probe-1", account, false)
			var out bytes.Buffer
			script := "wait-bootstrap probe-1; wait probe-1; bootstrap probe-1; devices"
			code := p.runScript(t.Context(), strings.NewReader(script), &out, &out)
			if code != 0 || !strings.HasSuffix(out.String(), "probe-1: LwM2M 1.2, lifetime 24h0m0s, 2 objects and instances\n") {
				t.Errorf("exit status %d:\n%s", code, &out)
			}
		})
	}
}

// A file that cannot be used is named with its line.
func TestBootstrapFlag(t *testing.T) {
	dir := t.TempDir()
	broken := filepath.Join(dir, "broken.yaml")
	if err := os.WriteFile(broken, []byte("servers:\n  - short-id: 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for flag, want := range map[string]string{
		"none.yaml":         "lwm2mserver: -bootstrap: open none.yaml: ",
		broken:              "lwm2mserver: -bootstrap: " + broken + ":2: an account has no uri",
		"probe-1=" + broken: "lwm2mserver: -bootstrap: " + broken + ":2: an account has no uri",
	} {
		var errs bytes.Buffer
		args := []string{"-listen", "coap://127.0.0.1:0", "-bootstrap", flag, "-c", ""}
		status := run(args, strings.NewReader(""), io.Discard, &errs)
		if status != 1 || !strings.HasPrefix(errs.String(), want) {
			t.Errorf("-bootstrap %s: status %d, %s, want %s", flag, status, &errs, want)
		}
	}
}
