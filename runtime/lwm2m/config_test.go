package lwm2m_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// The error of New names every fault and the field that has it.
func TestNewRefusesFaults(t *testing.T) {
	uri := []lwm2m.Server{{URI: "coap://host"}}
	sec, srv := accounts(t, 1)
	type (
		config      = lwm2m.Config
		server      = lwm2m.Server
		psk         = lwm2m.PSK
		certificate = lwm2m.Certificate
	)
	account := func(s server) config { return config{Servers: []server{s}} }
	for name, c := range map[string]struct {
		cfg  lwm2m.Config
		want string
	}{
		"endpoint too long": {config{Endpoint: strings.Repeat("x", 201)}, "Endpoint has 201 bytes"},
		"endpoint":          {config{Endpoint: "a\nb"}, "control characters"},
		"versions": {config{MinVersion: registry.V(1, 2), MaxVersion: registry.V(1, 1)},
			"MinVersion 1.2 is above MaxVersion 1.1"},
		"unknown version": {config{MaxVersion: registry.V(2, 0)}, "LwM2M has 1.0, 1.1 and 1.2"},
		"profile and version": {config{Profile: lwm2m.Profile{ID: "6:27354b9a"}, MaxVersion: registry.V(1, 1)},
			"needs LwM2M 1.2"},
		"profile":            {config{Profile: lwm2m.Profile{ID: "x&y"}}, "write it as 6:27354b9a"},
		"profile without id": {config{Profile: lwm2m.Profile{Objects: []dm.Path{{}}}}, "without Profile.ID"},
		"endpoint no UTF-8":  {config{Endpoint: "a\xffb"}, "must be UTF-8"},
		"sms twice":          {config{SMSNumber: "49+12345"}, "must consist of digits"},
		"sms of nothing":     {config{SMSNumber: "+"}, "must consist of digits"},
		"large blocks":       {config{BlockSize: 2048}, "from 16 to 1024"},
		"small blocks":       {config{BlockSize: 8}, "from 16 to 1024"},
		"lifetime too long": {account(server{URI: "coap://b", Lifetime: 70 * 366 * 24 * time.Hour}),
			"at most 68 years"},
		"sms":                {config{SMSNumber: "call me"}, "must consist of digits"},
		"alternate":          {config{AlternatePath: "/3"}, "no segment of digits alone"},
		"formats link":       {config{Formats: []content.Format{content.TLV, content.Link}}, "Formats[1] is link format"},
		"formats none":       {config{Formats: []content.Format{content.None}}, "Formats[0]"},
		"formats unknown":    {config{Formats: []content.Format{50}}, "Formats[0]"},
		"formats twice":      {config{Formats: []content.Format{content.TLV, content.TLV}}, "contains already"},
		"alternate length":   {config{AlternatePath: "/" + strings.Repeat("a", 100)}, "at most 100"},
		"alternate root":     {config{AlternatePath: "/"}, "AlternatePath"},
		"alternate blank":    {config{AlternatePath: "/a b"}, "AlternatePath"},
		"alternate colon":    {config{AlternatePath: "/a:"}, "AlternatePath"},
		"alternate brace":    {config{AlternatePath: "/a{"}, "AlternatePath"},
		"alternate bracket":  {config{AlternatePath: "/a["}, "AlternatePath"},
		"endpoint DEL":       {config{Endpoint: "a\x7fb"}, "control characters"},
		"unknown least":      {config{MinVersion: registry.V(0, 9)}, "LwM2M has 1.0, 1.1 and 1.2"},
		"large payload":      {config{MaxPayload: 1<<30 + 1}, "MaxPayload is 1073741825"},
		"connect timeout":    {config{ConnectTimeout: -1}, "ConnectTimeout is -1ns"},
		"format":             {config{Format: content.Opaque}, "cannot carry an object"},
		"alternate slash":    {config{AlternatePath: "/a/"}, "AlternatePath"},
		"alternate relative": {config{AlternatePath: "a"}, "AlternatePath"},
		"block size":         {config{BlockSize: 100}, "power of two"},
		"payload":            {config{MaxPayload: -1}, "MaxPayload is -1"},
		"loop not made":      {config{Loop: &lwm2m.Loop{}}, "Loop is the zero value: make it with NewLoop"},
		"workers":            {config{Workers: -1}, "Workers is -1"},
		"times":              {config{ConnectTimeout: -1, ShutdownTimeout: -1}, "ShutdownTimeout is -1ns"},
		"transmission":       {config{Transmission: coap.Params{AckTimeout: -1}}, "AckTimeout is -1ns"},
		"nil object":         {config{Objects: []dm.Object{nil}}, "Objects[0] is nil"},
		"nil typed object": {config{Objects: []dm.Object{(*dm.TypedObject[temperature.Instance])(nil)}},
			"Objects[0] is nil, or its zero value"},
		"object not made": {config{Objects: []dm.Object{&temperature.Object{}}},
			"Objects[0] is nil, or its zero value"},
		"nil dialer": {config{Dialers: []socket.Dialer{nil}}, "Dialers[0] is nil"},
		"socket security": {config{Socket: socket.Config{Security: socket.Security{Mode: socket.ModePSK}}},
			"Socket.Security is set"},
		"no uri": {account(server{}), "Config.Servers[0]: server URI"},
		"same id": {config{Servers: []server{uri[0], {URI: "coap://b", ShortID: 1}}},
			"ShortID 1 is already used by Servers[0]"},
		"periods": {account(server{URI: "coap://b", MinPeriod: 5 * time.Second,
			MaxPeriod: time.Second}), "MaxPeriod is 1s, it must not be below MinPeriod, 5s"},
		"bootstrap id": {account(server{URI: "coap://b", Bootstrap: true, ShortID: 3}),
			"a bootstrap server has no ShortID"},
		"bootstrap lifetime": {account(server{URI: "coap://b", Bootstrap: true, Lifetime: time.Hour}),
			"leave them out"},
		"bootstrap twice": {config{Servers: []server{{URI: "coap://a", Bootstrap: true}, {URI: "coap://b", Bootstrap: true}}},
			"Config.Servers[1]: Servers[0] is a bootstrap server already"},
		"hold-off of a management server": {account(server{URI: "coap://b", HoldOff: time.Second}),
			"HoldOff and AccountTimeout belong to the account of a bootstrap server"},
		"half a second": {account(server{URI: "coap://b", Bootstrap: true, HoldOff: time.Second / 2}),
			"HoldOff is 500ms, it must be a whole number of seconds"},
		"reserved id":    {account(server{URI: "coap://b", ShortID: 65535}), "ShortID is 65535"},
		"no credentials": {account(server{URI: "coaps://b"}), "needs PSK or Certificate"},
		"needless": {account(server{URI: "coap://b", PSK: psk{Identity: "i", Key: socket.NewSecret([]byte("k"))}}),
			"write coaps"},
		"half a psk":          {account(server{URI: "coaps://b", PSK: psk{Identity: "i"}}), "both Identity and Key"},
		"other half of a psk": {account(server{URI: "coaps://b", PSK: psk{Key: socket.NewSecret([]byte("k"))}}), "both Identity and Key"},
		"empty chain": {account(server{URI: "coaps://b", Certificate: &certificate{}}),
			"Certificate.Chain is empty"},
		"certificate usage": {account(server{URI: "coaps://b", Certificate: &certificate{Usage: 4}}),
			"Usage must be from 0 to 3"},
		"needless chain": {account(server{URI: "coap://b", Certificate: &certificate{Chain: [][]byte{{1}}}}),
			"write coaps"},
		"negative period": {account(server{URI: "coap://b", MinPeriod: -time.Second}),
			"MinPeriod is -1s, it must not be negative"},
		"both": {account(server{URI: "coaps://b", PSK: psk{Identity: "i", Key: socket.NewSecret([]byte("k"))},
			Certificate: &certificate{}}), "use one"},
		"lifetime": {account(server{URI: "coap://b", Lifetime: time.Millisecond}),
			"whole number of seconds"},
		"no dialer": {account(server{URI: "coaps://b", PSK: psk{Identity: "i", Key: socket.NewSecret([]byte("k"))}}),
			"net/dtls"},
		"unknown scheme":      {account(server{URI: "gopher://b"}), "no dialer for the scheme"},
		"objects and servers": {config{Servers: uri, Objects: []dm.Object{sec, srv}}, "use one or the other"},
		"security alone":      {config{Objects: []dm.Object{sec}}, "add the other"},
		"two of a kind":       {config{Objects: []dm.Object{newSensor(t), newSensor(t)}}, "share the ID 3303"},
		"bad instance": {account(server{URI: "coap://b", Instance: func(i *lwm2m.ServerInstance) { i.Binding = dm.Str("X") }}),
			"binding"},
	} {
		t.Run(name, func(t *testing.T) {
			c.cfg.Logger = quiet()
			client, err := lwm2m.New(c.cfg)
			if err == nil || client != nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want one with %q", err, c.want)
			}
		})
	}
}

func TestNewNamesAllFaults(t *testing.T) {
	_, err := lwm2m.New(lwm2m.Config{
		Endpoint: "\x00", BlockSize: 3, Workers: -2, Limits: lwm2m.Limits{Observations: -1, Patience: -1},
		Logger: quiet(),
	})
	for _, want := range []string{"Endpoint", "BlockSize", "Workers", "Config.Limits.Observations",
		"Config.Limits.Patience"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that names %s", err, want)
		}
	}
}

// An error of Config.Secure is an error of New.
func TestErrorOfSecure(t *testing.T) {
	broken := errors.New("the secure element does not answer")
	_, err := lwm2m.New(lwm2m.Config{
		Servers: []lwm2m.Server{{URI: "coap://h"}}, Logger: quiet(),
		Secure: func(a lwm2m.Account, _ *socket.Security) error {
			if want := (lwm2m.Account{ShortID: 1, URI: "coap://h"}); a != want {
				t.Errorf("Secure is called for %+v, want %+v", a, want)
			}
			return broken
		},
	})
	if !errors.Is(err, broken) {
		t.Errorf("error %v", err)
	}
}

func TestPrintingShowsNoSecrets(t *testing.T) {
	psk := lwm2m.PSK{Identity: "probe", Key: socket.NewSecret([]byte("hunter2"))}
	cert := lwm2m.Certificate{PrivateKey: socket.NewSecret([]byte("hunter2"))}
	server := lwm2m.Server{URI: "coaps://h", PSK: psk, Certificate: &cert}
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "probe", Objects: []dm.Object{newDevice(t)}, Logger: quiet(), Dialers: []socket.Dialer{dtls.Dialer{}, udp.Dialer{}},
		Servers: []lwm2m.Server{{URI: "coaps://h", PSK: psk}},
	})
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	log := slog.New(slog.NewTextHandler(&b, nil))
	log.Info("x", "psk", psk, "certificate", cert, "server", server)
	log.Info("x", "client", client)
	type device struct {
		client *lwm2m.Client
		psk    lwm2m.PSK
		cert   *lwm2m.Certificate
		all    []any
	}
	own := device{client, psk, &cert, []any{psk, cert, server, client}}
	log.Info("x", "own", own, "pointer", &own)
	for _, format := range []string{"%v", "%+v", "%#v", "%s", "%x", "%d"} {
		fmt.Fprintf(&b, format+format+format, psk, cert, server)
		fmt.Fprintf(&b, format+format+format, own, &own, client)
		fmt.Fprintf(&b, format, lwm2m.Config{Servers: []lwm2m.Server{server}})
	}
	for _, v := range []any{psk, cert, server} {
		j, err := json.Marshal(v)
		if _, plain := v.(lwm2m.Server); !plain && err != nil {
			t.Error(err)
		}
		b.Write(j)
	}
	for _, secret := range []string{"hunter2", fmt.Sprintf("%x", "hunter2"), fmt.Sprint([]byte("hunter2")),
		"aHVudGVyMg"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("the key is shown as %q", secret)
		}
	}
	for _, shown := range []string{`identity "probe"`, "certificate chain of 0", `"PSK, identity`} {
		if !strings.Contains(b.String(), shown) {
			t.Errorf("%s is not shown: %s", shown, b.String())
		}
	}
	for psk, want := range map[*lwm2m.PSK]string{
		{}: "no PSK", {Identity: "i"}: `PSK, identity "i", key [redacted]`,
		{Key: socket.NewSecret([]byte("k"))}: `PSK, identity "", key [redacted]`,
	} {
		if got := fmt.Sprint(psk); got != want {
			t.Errorf("shown is %q, want %q", got, want)
		}
	}
	if got, want := fmt.Sprint(cert), `certificate chain of 0, certificate usage CA constraint, server name "", private key [redacted]`; got != want {
		t.Errorf("shown is %q, want %q", got, want)
	}
}

// The short form of an account sets the resources of both objects, and the dialer gets its
// credentials.
func TestShortForm(t *testing.T) {
	dialer := &recordingDialer{host: simnet.New(1).NewHost("device")}
	c, err := lwm2m.New(lwm2m.Config{
		Servers: []lwm2m.Server{
			{URI: "coaps://h", ShortID: 7, PSK: lwm2m.PSK{Identity: "i", Key: socket.NewSecret([]byte("k"))},
				Lifetime: 90 * time.Second, MinPeriod: time.Second,
				MaxPeriod: time.Minute, DropNotifications: true},
			{URI: "coaps://bs", Bootstrap: true, PSK: lwm2m.PSK{Identity: "b", Key: socket.NewSecret([]byte("k"))}},
		},
		Dialers: []socket.Dialer{dialer}, Logger: quiet(),
	})
	if err != nil {
		t.Fatal(err)
	}
	s := c.Model().Snapshot()
	for path, want := range map[string]string{
		"/0/0/0": "coaps://h", "/0/0/1": "false", "/0/0/2": "0", "/0/0/10": "7", "/0/1/1": "true",
		"/1/0/0": "7", "/1/0/1": "90", "/1/0/2": "1", "/1/0/3": "60", "/1/0/6": "false", "/1/0/7": "U",
	} {
		p, err := dm.ParsePath(path)
		if err != nil {
			t.Fatal(err)
		}
		v, err := s.Value(context.Background(), dm.Application, p)
		if err != nil || strings.Trim(v.String(), `"`) != want {
			t.Errorf("%s is %v (%v), want %s", path, v, err, want)
		}
	}
	if len(dialer.seen) != 2 || string(dialer.seen[0].Identity) != "i" ||
		string(dialer.seen[0].Key.Bytes()) != "k" || dialer.seen[0].Mode != socket.ModePSK {
		t.Errorf("credentials %v", dialer.seen)
	}
	if s.Has(dm.InstancePath(1, 1)) {
		t.Error("the bootstrap server has a Server instance")
	}
}

// recordingDialer is a dialer for coaps that records credentials and makes sockets without
// security.
type recordingDialer struct {
	host *simnet.Host
	seen []socket.Security
}

func (n *recordingDialer) Schemes() []string { return []string{"coaps"} }

func (n *recordingDialer) NewSocket(c socket.Config) (socket.Socket, error) {
	seen := c.Security
	seen.Key = socket.NewSecret(seen.Key.Bytes()) // the client overwrites its own copy
	n.seen = append(n.seen, seen)
	return n.host.Dialer().NewSocket(socket.Config{})
}

// New warns once about a client without servers or without a Device object, and says what to do.
func TestNewWarns(t *testing.T) {
	for name, c := range map[string]struct {
		cfg        lwm2m.Config
		want, wont string
	}{
		"nothing": {lwm2m.Config{}, "set Config.Servers, or add instances", "none"},
		"no device": {lwm2m.Config{Servers: []lwm2m.Server{{URI: "coap://b"}}},
			"runtime/objects/device makes one", "no server"},
	} {
		t.Run(name, func(t *testing.T) {
			var log strings.Builder
			c.cfg.Logger = slog.New(slog.NewTextHandler(&log, nil))
			if _, err := lwm2m.New(c.cfg); err != nil {
				t.Fatal(err)
			}
			if !strings.Contains(log.String(), c.want) || strings.Contains(log.String(), c.wont) {
				t.Errorf("logged is %s; want %q, and nothing of %q", log.String(), c.want, c.wont)
			}
		})
	}
}

// Instances returns what Config.Servers would make, or an error that names every fault.
func TestServerInstances(t *testing.T) {
	sec, srv, err := lwm2m.Server{URI: "coap://b", ShortID: 7, Lifetime: time.Hour}.Instances()
	if err != nil || sec.ServerURI.Or("") != "coap://b" || sec.ShortServerID.Or(0) != 7 ||
		srv.ShortServerID.Or(0) != 7 || srv.Lifetime.Or(0) != 3600 {
		t.Errorf("%v, %v, %v", sec, srv, err)
	}
	sec, srv, err = lwm2m.Server{URI: "coap://b", Bootstrap: true}.Instances()
	if err != nil || !sec.BootstrapServer.Or(false) || srv.ShortServerID.Supported() {
		t.Errorf("of a bootstrap account: %v, %v, %v", sec, srv, err)
	}
	for want, s := range map[string]lwm2m.Server{
		"ShortID is 0":              {URI: "coap://b"},
		"needs PSK or Certificate":  {URI: "coaps://b", ShortID: 1},
		"it must be from 1 to 6553": {URI: "coap://b", ShortID: 65535},
	} {
		if _, _, err := s.Instances(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%+v: %v; want something about %q", s, err, want)
		}
	}
}

// The fields that an account leaves out have the documented defaults, and the other fields set
// resources.
func TestDefaultsOfServers(t *testing.T) {
	sec, srv, err := lwm2m.Server{URI: "coap://b", ShortID: 7}.Instances()
	if err != nil {
		t.Fatal(err)
	}
	lifetime, _ := srv.Lifetime.Get()
	store, _ := srv.NotificationStoringWhenDisabledOrOffline.Get()
	if _, named := sec.SNI.Get(); lifetime != 86400 || !store || named {
		t.Errorf("lifetime %d, notifications stored %v, server name %v", lifetime, store, sec.SNI)
	}
	if v, ok := srv.DefaultMinimumPeriod.Get(); ok {
		t.Errorf("pmin is %d", v)
	}
	if v, ok := srv.DefaultMaximumPeriod.Get(); ok {
		t.Errorf("pmax is %d", v)
	}
	sec, srv, err = lwm2m.Server{URI: "coaps+tcp://b", ShortID: 65534, Lifetime: -time.Second,
		Certificate: &lwm2m.Certificate{
			Chain: [][]byte{{1, 2}, {3}}, PrivateKey: socket.NewSecret([]byte("key")), Server: []byte("server"),
			Usage: socket.UsageDomainIssued, ServerName: "example.com",
		}}.Instances()
	if err != nil {
		t.Fatal(err)
	}
	lifetime, _ = srv.Lifetime.Get()
	binding, _ := srv.Binding.Get()
	if short, _ := srv.ShortServerID.Get(); lifetime != 0 || binding != "T" || short != 65534 {
		t.Errorf("lifetime %d, binding %q, Short Server ID %d", lifetime, binding, short)
	}
	mode, _ := sec.SecurityMode.Get()
	usage, _ := sec.CertificateUsage.Get()
	name, _ := sec.SNI.Get()
	chain, _ := sec.PublicKeyOrIdentity.Get()
	key, _ := sec.SecretKey.Get()
	server, _ := sec.ServerPublicKey.Get()
	if mode != 2 || usage != 3 || name != "example.com" || string(chain.Reveal()) != "\x01\x02\x03" ||
		string(key.Reveal()) != "key" || string(server.Reveal()) != "server" {
		t.Errorf("mode %d, usage %d, name %q, chain %x", mode, usage, name, chain.Reveal())
	}
}

// New accepts the limits of every range, and a configuration without a logger.
func TestNewAcceptsLimits(t *testing.T) {
	for name, c := range map[string]lwm2m.Config{
		"endpoint":       {Endpoint: strings.Repeat("x", 200), Logger: quiet()},
		"blank":          {Endpoint: "a b", Logger: quiet()},
		"least block":    {BlockSize: 16, Logger: quiet()},
		"largest block":  {BlockSize: 1024, Logger: quiet()},
		"payload":        {MaxPayload: 1 << 30, Logger: quiet()},
		"alternate path": {AlternatePath: "/aZ09-._~/z/A", Logger: quiet()},
		"format":         {Format: content.SenMLJSON, Logger: quiet()},
		"profile":        {Profile: lwm2m.Profile{ID: "6:27354b9a"}, Logger: quiet()},
		"SMS number":     {SMSNumber: "+4912345", Logger: quiet()},
		"no logger":      {},
	} {
		c.Servers, c.Objects = []lwm2m.Server{{URI: "coap://h"}}, []dm.Object{newDevice(t)}
		if _, err := lwm2m.New(c); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// New closes the sockets that it makes for its checks. Sockets without a logger of their own get
// that of the client.
func TestNewClosesSockets(t *testing.T) {
	inWorld(t, 1, func(w *world) {
		cfg, d := secured(w)
		logger := &loggers{sessions: d}
		cfg.Dialers = []socket.Dialer{logger}
		if _, err := lwm2m.New(cfg); err != nil {
			t.Fatal(err)
		}
		if got := d.ends(); got != "close" {
			t.Errorf("the socket that New made to see whether it can be was ended by %q", got)
		}
		if logger.with != cfg.Logger {
			t.Errorf("it was made with the logger %v", logger.with)
		}
	})
}
