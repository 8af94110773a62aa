package lwm2m_test

import (
	"bytes"
	"context"
	"io"
	"net/netip"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
)

// pulling is a device that downloads an image from its LwM2M server.
type pulling struct {
	t         *testing.T
	server    *lwm2mtest.Server
	scheme    string
	cfg       lwm2m.Config
	downloads download.Config
	client    *lwm2m.Client
	pausing   *download.Client
	flash     *flash
	update    *firmwareupdate.Updater

	mu         sync.Mutex
	handshakes int
	ports      map[netip.AddrPort]bool // of the device
	progress   download.Progress
}

// onPulling runs a test in virtual time for each scheme of CoAP.
func onPulling(t *testing.T, fn func(p *pulling)) {
	for _, scheme := range []string{"coap", "coaps", "coap+tcp"} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { fn(newPulling(t, scheme)) })
		})
	}
}

func newPulling(t *testing.T, scheme string) *pulling {
	p := &pulling{t: t, scheme: scheme, flash: &flash{version: "1.0"}, ports: map[netip.AddrPort]bool{}}
	key := socket.NewSecret([]byte("0123456789abcdef"))
	n := simnet.New(1)
	place, dev := n.NewHost("server"), n.NewHost("device")
	var l socket.Listener
	var err error
	switch scheme {
	case "coap":
		l, err = place.Listen(5683)
	case "coap+tcp":
		l, err = place.ListenStream(5683)
	case "coaps":
		if l, err = place.Listen(5684); err == nil {
			l, err = dtls.Listen(l, dtls.ServerConfig{Key: func([]byte) (socket.Secret, error) {
				p.mu.Lock()
				defer p.mu.Unlock()
				p.handshakes++
				return key, nil
			}})
		}
	}
	must(t, err)
	p.server = lwm2mtest.NewServer(t, l)
	n.SetFilter(func(q simnet.Packet) bool {
		p.mu.Lock()
		defer p.mu.Unlock()
		if q.From.Addr() == dev.Addrs()[0] {
			p.ports[q.From] = true
		}
		return true
	})
	server := lwm2m.Server{URI: scheme + "://server", Lifetime: time.Hour}
	if scheme == "coaps" {
		server.PSK = lwm2m.PSK{Identity: "dev", Key: key}
	}
	dialers := []socket.Dialer{dev.Dialer(), dev.StreamDialer(), dtls.Dialer{}}
	loop, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
	must(t, err)
	p.cfg = lwm2m.Config{Endpoint: "dev", Servers: []lwm2m.Server{server}, Dialers: dialers, Loop: loop, Logger: quiet()}
	p.downloads = download.Config{
		Dialers: dialers, Scheduler: loop.Sched(), Logger: quiet(), Rate: 10_000,
		Security: func(*url.URL) (socket.Security, error) {
			return socket.Security{Mode: socket.ModePSK, Identity: []byte("dev"), Key: key}, nil
		},
	}
	return p
}

// start starts the device and waits until it is registered.
func (p *pulling) start() *lwm2mtest.Client {
	p.t.Helper()
	var err error
	p.pausing, err = download.New(p.downloads)
	must(p.t, err)
	d := pull.New(p.pausing, download.Records{})
	d.Conn = func(uri string) (*coap.Conn, bool) { return p.client.Conn(uri) }
	d.Progress = func(q download.Progress) {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.progress = q
	}
	p.update, err = firmwareupdate.New(firmwareupdate.Config{
		Installer: p.flash, Storage: p.flash, Downloader: d, Logger: quiet(),
	})
	must(p.t, err)
	p.cfg.Objects = []dm.Object{newDevice(p.t), p.update}
	p.client, err = lwm2m.New(p.cfg)
	must(p.t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- p.cfg.Loop.Run(ctx) }()
	p.t.Cleanup(func() {
		must(p.t, p.update.Close())
		must(p.t, p.pausing.Close())
		<-time.After(time.Second)
		stop()
		must(p.t, <-ended)
	})
	return p.server.WaitRegistered("dev")
}

// begin serves an image and has the device download it.
func (p *pulling) begin(dev *lwm2mtest.Client, image []byte) {
	p.t.Helper()
	must(p.t, p.server.ServeFile("/fw.bin", lwm2mtest.File{Content: bytes.NewReader(image), Size: int64(len(image))}))
	a, err := dev.Write(context.Background(), "/5/0/1", content.Text, []byte(p.scheme+"://SERVER/fw.bin"))
	if err != nil || a.Code != coap.Changed {
		p.t.Fatalf("Write: %v, %v", a, err)
	}
}

// pauseWithClient pauses downloads while the client is offline or asleep.
func (p *pulling) pauseWithClient() {
	p.cfg.OnStatus = func(s lwm2m.ServerStatus) {
		switch s.State {
		case lwm2m.StateSuspended, lwm2m.StateAsleep:
			p.pausing.Suspend()
		case lwm2m.StateRegistered:
			p.pausing.Resume()
		}
	}
}

// complete waits until the image is downloaded and fails unless it is whole.
func (p *pulling) complete(image []byte, within time.Duration) {
	p.t.Helper()
	for end := time.Now().Add(within); p.update.Status().State != 2; {
		if <-time.After(time.Second); time.Now().After(end) {
			p.t.Fatalf("the status is %+v, the progress %+v", p.update.Status(), p.progress)
		}
	}
	if b, err := io.ReadAll(p.flash.Content()); err != nil || !bytes.Equal(b, image) {
		p.t.Errorf("%d bytes, %v", len(b), err)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if q := p.progress; q.State != download.Ended || q.Received != int64(len(image)) || q.Total != q.Received {
		p.t.Errorf("the progress is %+v", q)
	}
}

// TestFirmwareOverServerConnection downloads an image over the connection that the device is
// registered over, and serves the server in the meantime.
func TestFirmwareOverServerConnection(t *testing.T) {
	onPulling(t, func(p *pulling) {
		dev := p.start()
		image := firmwareImage("2.0", 100_000)
		p.begin(dev, image)
		<-time.After(4 * time.Second)
		a, err := dev.Read(context.Background(), "/5/0/3", content.Text)
		if err != nil || a.Text() != "1" {
			t.Errorf("the state is %v, %v", a, err)
		}
		p.complete(image, time.Minute)
		if len(p.ports) != 1 || p.handshakes > 1 {
			t.Errorf("the device uses the ports %v, and shakes hands %d times", p.ports, p.handshakes)
		}
	})
}

// TestFirmwareOverReconnect continues a download after the connection to the server was lost.
func TestFirmwareOverReconnect(t *testing.T) {
	onPulling(t, func(p *pulling) {
		dev := p.start()
		image := firmwareImage("2.0", 100_000)
		p.begin(dev, image)
		<-time.After(4 * time.Second)
		must(t, p.client.Reconnect(1))
		p.complete(image, time.Minute)
		if sent := len(p.server.FileRequests()); sent > 110 {
			t.Errorf("the server is asked for %d blocks", sent)
		}
	})
}

// TestFirmwareWhileOffline pauses a download while the client is offline.
func TestFirmwareWhileOffline(t *testing.T) {
	onPulling(t, func(p *pulling) {
		p.pauseWithClient()
		dev := p.start()
		image := firmwareImage("2.0", 100_000)
		p.begin(dev, image)
		<-time.After(4 * time.Second)
		p.client.Suspend()
		<-time.After(time.Second)
		before := len(p.server.FileRequests())
		<-time.After(20 * time.Hour)
		if p.mu.Lock(); p.progress.State != download.Suspended || p.progress.Attempts != 0 {
			t.Errorf("the progress is %+v", p.progress)
		}
		p.mu.Unlock()
		if n := len(p.server.FileRequests()) - before; n != 0 {
			t.Errorf("the server is asked for %d blocks", n)
		}
		p.client.Resume()
		p.complete(image, time.Minute)
	})
}

// TestFirmwareInQueueMode downloads over a connection of its own, as that to the server sleeps.
func TestFirmwareInQueueMode(t *testing.T) {
	onPulling(t, func(p *pulling) {
		p.cfg.QueueMode = &lwm2m.QueueMode{AwakeTime: 3 * time.Second}
		dev := p.start()
		image := firmwareImage("2.0", 100_000)
		p.begin(dev, image)
		<-time.After(8 * time.Second)
		if s, _ := p.client.Status().Server(1); s.State != lwm2m.StateAsleep {
			t.Errorf("the client is %v", s.State)
		}
		p.complete(image, time.Minute)
		if len(p.ports) != 2 {
			t.Errorf("the device uses the ports %v", p.ports)
		}
	})
}

// TestFirmwareInAwakeWindows downloads a part of an image in each awake window, and nothing in
// between; with Client.Awake all of it in one window.
func TestFirmwareInAwakeWindows(t *testing.T) {
	for _, awake := range []bool{false, true} {
		onPulling(t, func(p *pulling) {
			p.cfg.QueueMode = &lwm2m.QueueMode{AwakeTime: 3 * time.Second}
			p.pauseWithClient()
			dev := p.start()
			image := firmwareImage("2.0", 100_000)
			p.begin(dev, image)
			ctx, stop := context.WithCancel(context.Background())
			defer stop()
			if awake {
				p.client.Awake(ctx)
				p.complete(image, time.Minute)
				return
			}
			<-time.After(time.Minute)
			p.mu.Lock()
			q := p.progress
			p.mu.Unlock()
			if q.State != download.Suspended || q.Received < 20_000 || q.Received > 60_000 {
				t.Errorf("after an awake window: %+v", q)
			}
			p.complete(image, 5*time.Hour)
		})
	}
}

// TestCorruptFirmware shows that a damaged image ends an update with the Update Result 5.
func TestCorruptFirmware(t *testing.T) {
	onPulling(t, func(p *pulling) {
		dev := p.start()
		p.server.DisturbFiles(1<<30, lwm2mtest.FileFault{Corrupt: true}, nil)
		p.begin(dev, firmwareImage("2.0", 20_000))
		<-time.After(20 * time.Second)
		for path, want := range map[string]string{"/5/0/3": "0", "/5/0/5": "5"} {
			a, err := dev.Read(context.Background(), path, content.Text)
			if err != nil || a.Text() != want {
				t.Errorf("%s is %v (%v), want %s", path, a, err, want)
			}
		}
	})
}

// TestConnFindsServer shows which URIs lead to the connection of a server.
func TestConnFindsServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newPulling(t, "coap")
		p.start()
		find := func(uri string) (found, connected bool) {
			done := make(chan bool)
			p.client.Sched().Post(func() {
				conn, ok := p.client.Conn(uri)
				found, connected = ok, conn != nil
				close(done)
			})
			<-done
			return found, connected
		}
		for uri, want := range map[string]bool{
			"coap://server": true, "COAP://Server:5683/fw.bin?x": true, "coaps://server/fw.bin": false, "coap://server:5684": false,
			"coap+tcp://server/": false, "coap://other/fw.bin": false, "http://server:5683/": false, "": false, "coap://[": false,
		} {
			if ok, connected := find(uri); ok != want || connected != want {
				t.Errorf("%q: %v, connected %v", uri, ok, connected)
			}
		}
		p.client.Suspend()
		<-time.After(time.Second)
		if ok, connected := find("coap://server/fw.bin"); !ok || connected {
			t.Errorf("offline: %v, connected %v", ok, connected)
		}
	})
}
