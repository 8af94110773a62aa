package leshanbs_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"log/slog"
	"math/big"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// identity is a key with a self-signed certificate.
type identity struct{ cert, key []byte }

func newIdentity(t *testing.T, name string) identity {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	cert := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, cert, cert, key.Public(), key)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return identity{der, private}
}

// startDevice runs a device that knows its bootstrap server alone, until the test ends.
func startDevice(t *testing.T, name string, boot lwm2m.Server, change func(*lwm2m.Config)) {
	t.Helper()
	boot.Bootstrap = true
	cfg := lwm2m.Config{
		Endpoint: name, Servers: []lwm2m.Server{boot}, Logger: slog.New(slog.DiscardHandler),
		Dialers: []socket.Dialer{udp.Dialer{}, dtls.Dialer{}}, ShutdownTimeout: 5 * time.Second,
	}
	if change != nil {
		change(&cfg)
	}
	c, err := lwm2m.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}

// TestBootstrap bootstraps devices by Leshan and waits for their registrations.
func TestBootstrap(t *testing.T) {
	server, device := newIdentity(t, "server"), newIdentity(t, "device-x509")
	p := startPeer(t, server, device)
	key, other := []byte("0123456789abcdef"), []byte("fedcba9876543210")
	certificate := &lwm2m.Certificate{
		Chain: [][]byte{device.cert}, PrivateKey: socket.NewSecret(device.key), Server: server.cert, Usage: socket.UsageDomainIssued,
	}
	for _, c := range []struct {
		name, endpoint string
		boot           lwm2m.Server
		keys           []command
		account        command
		change         func(*lwm2m.Config)
		steps          []string
	}{
		{
			name: "NoSec", endpoint: "device-nosec", boot: lwm2m.Server{URI: p.started.BootstrapCoap},
			account: command{"uri": p.started.Coap, "mode": "NO_SEC"},
		},
		{
			name: "NoSec with Discover and Read", endpoint: "device-auto", boot: lwm2m.Server{URI: p.started.BootstrapCoap},
			account: command{"uri": p.started.Coap, "mode": "NO_SEC", "auto": true, "read": true},
			steps:   []string{"BootstrapReadRequest /1 205", "BootstrapDiscoverRequest / 205"},
		},
		{
			name: "NoSec in TLV of LwM2M 1.0", endpoint: "device-old", boot: lwm2m.Server{URI: p.started.BootstrapCoap},
			account: command{"uri": p.started.Coap, "mode": "NO_SEC"},
			change:  func(cfg *lwm2m.Config) { cfg.MaxVersion = registry.V(1, 0) },
		},
		{
			name: "NoSec in SenML JSON", endpoint: "device-json", boot: lwm2m.Server{URI: p.started.BootstrapCoap},
			account: command{"uri": p.started.Coap, "mode": "NO_SEC"},
			change:  func(cfg *lwm2m.Config) { cfg.Format = content.SenMLJSON },
		},
		{
			name: "PSK", endpoint: "device-psk",
			boot: lwm2m.Server{URI: p.started.BootstrapCoaps, PSK: lwm2m.PSK{Identity: "boot-id", Key: socket.NewSecret(key)}},
			keys: []command{
				{"bootstrap": true, "identity": "boot-id", "psk": key}, {"bootstrap": false, "identity": "server-id", "psk": other},
			},
			account: command{"uri": p.started.Coaps, "mode": "PSK", "public": []byte("server-id"), "secret": other},
		},
		{
			name: "X.509", endpoint: "device-x509",
			boot: lwm2m.Server{URI: p.started.BootstrapCoaps, Certificate: certificate},
			keys: []command{{"bootstrap": true}, {"bootstrap": false}},
			account: command{
				"uri": p.started.Coaps, "mode": "X509", "public": device.cert, "secret": device.key, "server": server.cert,
			},
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for _, k := range c.keys {
				k["op"], k["endpoint"] = "key", c.endpoint
				p.do(t, k)
			}
			c.account["op"], c.account["endpoint"], c.account["delete"] = "config", c.endpoint, []string{"/0", "/1"}
			p.do(t, c.account)
			startDevice(t, c.endpoint, c.boot, c.change)
			var steps []string
			m := p.event(t, c.endpoint, "bootstrapped", "failed", "step", "failure")
			for ; m.Event == "step" || m.Event == "failure"; m = p.event(t, c.endpoint, "bootstrapped", "failed", "step", "failure") {
				steps = append(steps, m.Text)
				t.Log(m.Text, m.Message)
			}
			if m.Event != "bootstrapped" {
				t.Fatalf("%s: %s", m.Event, m.Text)
			}
			for _, want := range append(c.steps, "BootstrapDeleteRequest /0 202", "BootstrapFinishRequest null 204") {
				if !slices.Contains(steps, want) {
					t.Errorf("the steps are %q, want %s", steps, want)
				}
			}
			if m := p.event(t, c.endpoint, "registered"); m.Text != "300 s" {
				t.Errorf("the lifetime is %s", m.Text)
			}
		})
	}
	t.Run("triggered", func(t *testing.T) {
		const name = "device-again"
		p.do(t, command{"op": "config", "endpoint": name, "delete": []string{"/0", "/1"}, "uri": p.started.Coap, "mode": "NO_SEC"})
		startDevice(t, name, lwm2m.Server{URI: p.started.BootstrapCoap}, nil)
		p.event(t, name, "bootstrapped")
		p.event(t, name, "registered")
		p.do(t, command{"op": "trigger", "endpoint": name, "path": "/1/0/9"})
		p.event(t, name, "bootstrapped")
		// The account is the same, so the registration stays, and the server can use it.
		p.do(t, command{"op": "trigger", "endpoint": name, "path": "/1/0/8"})
	})
	t.Run("refused Finish", func(t *testing.T) {
		const name = "device-refuses"
		p.do(t, command{"op": "config", "endpoint": name, "delete": []string{"/0", "/1"}})
		startDevice(t, name, lwm2m.Server{URI: p.started.BootstrapCoap}, nil)
		for {
			m := p.event(t, name, "step", "failed", "bootstrapped")
			if m.Event != "step" {
				if m.Event != "failed" || m.Text != "FINISH_FAILED" {
					t.Errorf("%s: %s", m.Event, m.Text)
				}
				return
			}
			if strings.HasPrefix(m.Text, "BootstrapFinishRequest") && (m.Text != "BootstrapFinishRequest null 406" || m.Message == "") {
				t.Errorf("%s: %q, want 4.06 with a reason", m.Text, m.Message)
			}
		}
	})
}
