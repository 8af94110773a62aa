package lwm2mtest_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	stdtls "crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"fmt"
	"log/slog"
	"math/big"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/tls"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// The tests here bootstrap the client of package lwm2m.

// runDevice runs a device that knows a bootstrap server, until the test ends.
func runDevice(t *testing.T, s *lwm2mtest.Server, boot lwm2m.Server, change func(*lwm2m.Config)) *lwm2m.Client {
	t.Helper()
	boot.Bootstrap = true
	cfg := lwm2m.Config{
		Endpoint: "dev", Servers: []lwm2m.Server{boot}, Logger: slog.New(slog.DiscardHandler),
		Dialers: []socket.Dialer{udp.Dialer{}, dtls.Dialer{}, tcp.Dialer{}, tls.Dialer{}},
	}
	if change != nil {
		change(&cfg)
	}
	c, err := lwm2m.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Run(c.Run)
	return c
}

// newCertificate returns a self-signed certificate that is valid for 127.0.0.1.
func newCertificate(t *testing.T, name string) stdtls.Certificate {
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
	if cert, err = x509.ParseCertificate(der); err != nil {
		t.Fatal(err)
	}
	return stdtls.Certificate{Certificate: [][]byte{der}, PrivateKey: key, Leaf: cert}
}

// One server bootstraps a device and accepts its registration, over every transport. The account
// that it writes has the same credentials.
func TestBootstrapOverEveryTransport(t *testing.T) {
	server, device := newCertificate(t, "server"), newCertificate(t, "dev")
	keyDER, err := x509.MarshalPKCS8PrivateKey(device.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	devices := x509.NewCertPool()
	devices.AddCert(device.Leaf)
	psk := lwm2m.PSK{Identity: "dev", Key: socket.NewSecret([]byte("0123456789abcdef"))}
	certificate := &lwm2m.Certificate{
		Chain: device.Certificate, PrivateKey: socket.NewSecret(keyDER), Server: server.Certificate[0], Usage: socket.UsageDomainIssued,
	}
	overDTLS := dtls.ServerConfig{
		Key:         func([]byte) (socket.Secret, error) { return psk.Key, nil },
		Certificate: server, ClientCAs: devices,
	}
	for _, c := range []struct {
		name    string
		open    func(netip.AddrPort) (socket.Listener, error)
		wrap    func(socket.Listener) (socket.Listener, error)
		account lwm2m.Server
	}{
		{name: "coap", open: udp.Listen},
		{name: "coap+tcp", open: tcp.Listen},
		{name: "coaps with a pre-shared key", open: udp.Listen, account: lwm2m.Server{PSK: psk},
			wrap: func(l socket.Listener) (socket.Listener, error) { return dtls.Listen(l, overDTLS) }},
		{name: "coaps with certificates", open: udp.Listen, account: lwm2m.Server{Certificate: certificate},
			wrap: func(l socket.Listener) (socket.Listener, error) { return dtls.Listen(l, overDTLS) }},
		{name: "coaps+tcp", open: tcp.Listen, account: lwm2m.Server{Certificate: certificate},
			wrap: func(l socket.Listener) (socket.Listener, error) {
				return tls.Listen(l, &stdtls.Config{
					Certificates: []stdtls.Certificate{server}, ClientCAs: devices, ClientAuth: stdtls.RequireAndVerifyClientCert,
				})
			}},
	} {
		for _, name := range []string{"dev", ""} {
			if name == "" && !strings.HasPrefix(c.name, "coaps") {
				continue
			}
			t.Run(c.name+map[string]string{"": " without an endpoint name"}[name], func(t *testing.T) {
				l, err := c.open(netip.MustParseAddrPort("127.0.0.1:0"))
				if err == nil && c.wrap != nil {
					l, err = c.wrap(l)
				}
				if err != nil {
					t.Fatal(err)
				}
				s := lwm2mtest.NewServer(t, l)
				c.account.URI = s.URI()
				account := c.account
				account.ShortID = 1
				s.ScriptBootstrap("dev",
					lwm2mtest.BootstrapDiscover("/"),
					lwm2mtest.BootstrapDelete("/"),
					lwm2mtest.BootstrapAccount(1, account),
					lwm2mtest.BootstrapRead("/1", content.SenMLCBOR),
					lwm2mtest.BootstrapFinish(),
				)
				runDevice(t, s, c.account, func(cfg *lwm2m.Config) { cfg.Endpoint = name })
				b := s.RequireBootstrapped("dev")
				want := []string{"GET /: 2.05", "DELETE /: 2.02", "PUT /0/1: 2.04", "PUT /1/1: 2.04", "GET /1: 2.05", "POST /bs: 2.04"}
				for i, r := range b.Results() {
					if i >= len(want) || !strings.HasPrefix(r.String(), want[i]) {
						t.Errorf("step %d: %v", i, r)
					}
				}
				s.WaitRegistered("dev")
			})
		}
	}
}

// simBed is a server for bootstrap and management, and a device that knows it, on simnet.
type simBed struct {
	*lwm2mtest.Server
	host, device *simnet.Host
	account      lwm2m.Server // of the management server
	boot         lwm2m.Server
}

// newSimBed starts a server at "coap://cloud", or at "coap+tcp://cloud" over a stream.
func newSimBed(t *testing.T, stream bool) *simBed {
	t.Helper()
	n := simnet.New(1)
	b := &simBed{host: n.NewHost("cloud"), device: n.NewHost("device")}
	b.boot.URI = map[bool]string{false: "coap://cloud", true: "coap+tcp://cloud"}[stream]
	b.account = lwm2m.Server{URI: b.boot.URI, ShortID: 1}
	b.Server = lwm2mtest.NewServer(t, b.listen(t, stream))
	return b
}

func (b *simBed) listen(t *testing.T, stream bool) socket.Listener {
	t.Helper()
	open := b.host.Listen
	if stream {
		open = b.host.ListenStream
	}
	l, err := open(5683)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

// run runs the device.
func (b *simBed) run(t *testing.T, change func(*lwm2m.Config)) *lwm2m.Client {
	t.Helper()
	return runDevice(t, b.Server, b.boot, func(cfg *lwm2m.Config) {
		cfg.Dialers = []socket.Dialer{b.device.Dialer(), b.device.StreamDialer()}
		if change != nil {
			change(cfg)
		}
	})
}

// steps returns the steps of a correct sequence.
func (b *simBed) steps() []lwm2mtest.BootstrapStep {
	return []lwm2mtest.BootstrapStep{
		lwm2mtest.BootstrapDelete("/"), lwm2mtest.BootstrapAccount(1, b.account), lwm2mtest.BootstrapFinish(),
	}
}

// waitRegistered waits in virtual time for longer than WaitRegistered does.
func (b *simBed) waitRegistered(t *testing.T, patience time.Duration) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if _, err := b.Server.Server.WaitRegistered(ctx, "dev"); err != nil {
		t.Fatal(err)
	}
}

// The values of a step have the format that the device prefers.
func TestBootstrapValuesInPreferredFormat(t *testing.T) {
	for _, f := range []content.Format{content.TLV, content.SenMLJSON, content.SenMLCBOR, content.LwM2MCBOR} {
		t.Run(f.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newSimBed(t, false)
				b.ScriptBootstrap("dev", append([]lwm2mtest.BootstrapStep{
					lwm2mtest.BootstrapWriteValues("/1", // an object with several instances
						lwm2mtest.Value("/1/8/0", dm.IntegerValue(8)), lwm2mtest.Value("/1/8/1", dm.IntegerValue(60)),
						lwm2mtest.Value("/1/9/0", dm.IntegerValue(9)), lwm2mtest.Value("/1/9/1", dm.IntegerValue(60))),
					lwm2mtest.BootstrapWriteValues("/1/8/1", lwm2mtest.Value("/1/8/1", dm.IntegerValue(90))),
				}, b.steps()...)...)
				b.run(t, func(cfg *lwm2m.Config) { cfg.Format = f })
				if got := b.RequireBootstrapped("dev").Request().Query; !slices.Contains(got, fmt.Sprintf("pct=%d", f)) {
					t.Errorf("the Bootstrap-Request has %q", got)
				}
				b.WaitRegistered("dev")
			})
		})
	}
}

// A device survives garbage before every step, over datagrams and over streams, and the end of the
// connection after every step.
func TestBootstrapMisbehavesAtEveryStep(t *testing.T) {
	for _, stream := range []bool{false, true} {
		for at := range 5 {
			for _, fault := range []lwm2mtest.BootstrapStep{
				{Raw: []byte("\xff\xff\xff\xffgarbage")}, {Drop: true}, {Pause: 300 * time.Second},
			} {
				t.Run(fmt.Sprintf("stream %v, step %d, %v", stream, at, fault), func(t *testing.T) {
					synctest.Test(t, func(t *testing.T) {
						b := newSimBed(t, stream)
						good := []lwm2mtest.BootstrapStep{
							lwm2mtest.BootstrapDelete("/"), lwm2mtest.BootstrapDiscover("/"),
							lwm2mtest.BootstrapAccount(1, b.account), lwm2mtest.BootstrapFinish(),
						}
						faulty := slices.Insert(slices.Clone(good), min(at, len(good)), fault)
						b.ScriptBootstrap("dev", faulty...)
						b.run(t, nil)
						first, next := b.WaitBootstrap(0, "dev")
						b.ScriptBootstrap("dev", good...)
						b.waitRegistered(t, 20*time.Minute)
						if first.Finished() {
							return
						}
						if second, _ := b.WaitBootstrap(next, "dev"); !second.Finished() {
							t.Errorf("the first sequence is %v, the second %v", first, second)
						}
					})
				})
			}
		}
	}
}

// A restart of the server in the middle of a sequence makes the device ask again.
func TestBootstrapServerRestarts(t *testing.T) {
	for _, stream := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			b := newSimBed(t, stream)
			steps := b.steps()
			b.ScriptBootstrap("dev", slices.Insert(steps, 2, lwm2mtest.BootstrapStep{Pause: time.Hour})...)
			b.run(t, nil)
			s, _ := b.WaitBootstrap(0, "dev")
			<-time.After(10 * time.Second)
			if got := results(s); len(got) != 3 {
				t.Errorf("before the restart: %q", got)
			}
			b.Close()
			<-time.After(10 * time.Second)
			again := lwm2mtest.NewServer(t, b.listen(t, stream))
			again.ScriptBootstrap("dev", b.steps()...)
			b.Server = again
			b.waitRegistered(t, 20*time.Minute)
			again.RequireBootstrapped("dev")
		})
	}
}

// Several devices are bootstrapped at once, each with its own script.
func TestBootstrapSeveralDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSimBed(t, false)
		b.ScriptBootstrap("", b.steps()...)
		other := b.account
		other.ShortID = 9
		b.ScriptBootstrap("dev-3", lwm2mtest.BootstrapAccount(2, other), lwm2mtest.BootstrapFinish())
		for i := range 10 {
			b.run(t, func(cfg *lwm2m.Config) { cfg.Endpoint = fmt.Sprintf("dev-%d", i) })
		}
		for i := range 10 {
			name := fmt.Sprintf("dev-%d", i)
			b.RequireBootstrapped(name)
			dev := b.WaitRegistered(name)
			path := map[bool]string{true: "/1/2/0", false: "/1/1/0"}[i == 3]
			if a, err := dev.Read(t.Context(), path, content.Text); err != nil || a.Code != coap.Content {
				t.Errorf("%s: %v, %v", name, a, err)
			}
		}
	})
}

// Repeat begins a sequence that the device has not asked for, and /1/x/9 makes it ask.
func TestBootstrapByTheServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSimBed(t, false)
		b.ScriptBootstrap("dev", b.steps()...)
		b.run(t, func(cfg *lwm2m.Config) { cfg.ServerBootstrap = true })
		first, next := b.WaitBootstrap(0, "dev")
		dev := b.WaitRegistered("dev")
		if a, err := dev.Execute(t.Context(), "/1/1/9", ""); err != nil || a.Code != coap.Changed {
			t.Errorf("execute /1/1/9: %v, %v", a, err)
		}
		second, _ := b.WaitBootstrap(next, "dev")
		if err := second.Wait(t.Context()); err != nil || !second.Finished() || second == first {
			t.Errorf("the sequence after /1/1/9 is %v, %v", second, err)
		}
		<-time.After(time.Minute)
		third := second.Repeat(lwm2mtest.BootstrapWriteValues("/1/1/1", lwm2mtest.Value("/1/1/1", dm.IntegerValue(77))),
			lwm2mtest.BootstrapFinish())
		if err := third.Wait(t.Context()); err != nil || !third.Finished() {
			t.Errorf("the sequence of the server is %v, %v", third, err)
		}
	})
}

// FindScript makes the steps when the device asks, and Prepare when a step is sent. All yields each
// outcome as it comes.
func TestBootstrapScriptsOnDemand(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSimBed(t, false)
		b.FindScript(func(endpoint string) ([]lwm2mtest.BootstrapStep, bool) {
			if endpoint != "dev" {
				return nil, false
			}
			write := lwm2mtest.BootstrapWriteValues("/1/1/1", lwm2mtest.Value("/1/1/1", dm.IntegerValue(1)))
			write.Pause = time.Minute
			write.Prepare = func(op *lwm2mtest.Operation, earlier []lwm2mtest.BootstrapResult) error {
				if n := len(earlier); n != 3 {
					return fmt.Errorf("%d earlier steps", n)
				}
				var err error
				op.Payload, err = lwm2mtest.Encode(op.Format, op.Path, lwm2mtest.Value("/1/1/1", dm.IntegerValue(4321)))
				return err
			}
			return slices.Insert(b.steps(), 2, write), true
		})
		start := time.Now()
		b.run(t, func(cfg *lwm2m.Config) { cfg.Endpoint = "other" })
		b.run(t, nil)
		s, _ := b.WaitBootstrap(0, "dev")
		var times []time.Duration
		for r := range s.All(t.Context()) {
			times = append(times, time.Since(start).Round(time.Minute))
			if r.Err != nil {
				t.Error(r)
			}
		}
		if want := []time.Duration{0, 0, 0, time.Minute, time.Minute}; !slices.Equal(times, want) || !s.Over() {
			t.Errorf("the steps end after %v, want %v", times, want)
		}
		if got := b.WaitRegistered("dev").Registration().Lifetime; got != 4321*time.Second {
			t.Errorf("the lifetime is %v", got)
		}
		if other, ok := b.Client("other"); ok {
			t.Errorf("%v is registered", other)
		}
	})
}

// An account that is not valid ends the script with the reason.
func TestBootstrapStepFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newSimBed(t, false)
		b.ScriptBootstrap("dev", lwm2mtest.BootstrapAccount(1, lwm2m.Server{URI: "coap://cloud"}))
		b.run(t, nil)
		s, _ := b.WaitBootstrap(0, "dev")
		err := s.Wait(t.Context())
		if want := "ShortID is 0, it must be from 1 to 65534: choose one that no other account has"; err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("the script ends with %v, want %s", err, want)
		}
	})
}
