package lwm2m_test

import (
	"bytes"
	"context"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// duo is one device with two servers of package lwm2mtest.
type duo struct {
	net     *simnet.Network
	device  *simnet.Host
	hosts   [2]*simnet.Host
	servers [2]*lwm2mtest.Server
	client  *lwm2m.Client
}

func newDuo(t *testing.T, objects ...dm.Object) *duo {
	t.Helper()
	d := &duo{net: simnet.New(1)}
	d.device = d.net.NewHost("device")
	cfg := lwm2m.Config{
		Endpoint: "dev", Dialers: []socket.Dialer{d.device.Dialer()}, Objects: append(objects, newDevice(t)),
		Logger:     quiet(),
		MaxPayload: 2 << 20,
	}
	for i, name := range []string{"a", "b"} {
		d.hosts[i] = d.net.NewHost(name)
		l, err := d.hosts[i].Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		d.servers[i] = lwm2mtest.NewServer(t, l)
		cfg.Servers = append(cfg.Servers, lwm2m.Server{URI: "coap://" + name})
	}
	var err error
	if d.client, err = lwm2m.New(cfg); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- d.client.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
	return d
}

func firmware(t *testing.T) *firmwareupdate.Object {
	t.Helper()
	o, err := firmwareupdate.New(firmwareupdate.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = o.Add(0, firmwareupdate.Instance{
		Package: dm.Bytes([]byte("old")), PackageURI: dm.Str(""),
		Update: func(context.Context, dm.Args) error { return nil },
		State:  dm.Int(0), UpdateResult: dm.Int(0), FirmwareUpdateDeliveryMethod: dm.Int(1),
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// While one server writes a megabyte in blocks, a Read of another server waits for at most one
// datagram of the transfer. It sees the old or the new value, never a part.
func TestTransferBlocksNoOtherServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		fw := firmware(t)
		d := newDuo(t, fw)
		writer, reader := d.servers[0].WaitRegistered("dev"), d.servers[1].WaitRegistered("dev")
		const delay = time.Millisecond
		if err := d.net.SetDefaultLink(simnet.Link{Delay: delay}); err != nil {
			t.Fatal(err)
		}
		// The messages in order: w is the response to a block of the transfer, r is a Read, a is
		// its response.
		type sent struct {
			kind byte
			at   time.Time
		}
		var mu sync.Mutex
		var passed []sent
		d.net.SetFilter(func(p simnet.Packet) bool {
			mu.Lock()
			defer mu.Unlock()
			for i, kind := range []byte{'w', 'a'} {
				if p.To.Addr() == d.hosts[i].Addrs()[0] {
					passed = append(passed, sent{kind, time.Now()})
				}
			}
			if p.From.Addr() == d.hosts[1].Addrs()[0] {
				passed = append(passed, sent{'r', time.Now()})
			}
			return true
		})
		image := bytes.Repeat([]byte("firmware"), 1<<17)
		wrote := make(chan lwm2mtest.Answer, 1)
		go func() {
			ans, err := writer.Write(context.Background(), "/5/0/0", content.Opaque, image)
			if err != nil {
				t.Error(err)
			}
			wrote <- ans
		}()
		reads := 0
		for done := false; !done; reads++ {
			select {
			case ans := <-wrote:
				if ans.Code != coap.Changed {
					t.Errorf("the Write was answered %v", ans)
				}
				done = true
			default:
			}
			ans, err := reader.Read(context.Background(), "/5/0/3", content.Text)
			if err != nil || ans.Code != coap.Content {
				t.Fatalf("Read: %v, %v", ans, err)
			}
			if got, _ := fw.Get(0); !bytes.Equal(got.Package.Or(nil), image) && string(got.Package.Or(nil)) != "old" {
				t.Fatal("the package is neither the old nor the new one")
			}
		}
		if reads < 100 {
			t.Errorf("%d Reads during the transfer, want many", reads)
		}
		mu.Lock()
		defer mu.Unlock()
		var arrived time.Time // the Read that waits for its response
		waiting, worst, counted := 0, 0, 0
		for _, p := range passed {
			switch {
			case p.kind == 'r':
				waiting, arrived = 0, p.at.Add(delay)
			case p.kind == 'w' && !p.at.Before(arrived):
				waiting++
				counted++
			case p.kind == 'a':
				worst = max(worst, waiting)
				arrived = p.at.Add(time.Hour)
			}
		}
		if worst > 1 || counted == 0 {
			t.Errorf("%d datagrams of the transfer were answered while a Read waited (%d in all)", worst, counted)
		}
	})
}

// A socket with many messages does not delay another one: a socket is served after one message of
// every other.
func TestServersTakeTurns(t *testing.T) {
	inWorld(t, 2, func(w *world) {
		c := w.start(w.config())
		for i, s := range w.servers {
			s.next()
			w.wantState(lwm2m.ShortServerID(i+1), lwm2m.StateRegistered)
		}
		var mu sync.Mutex
		var order []byte
		w.net.SetFilter(func(p simnet.Packet) bool {
			mu.Lock()
			defer mu.Unlock()
			for i, s := range w.servers {
				if p.To.Addr() == s.host.Addrs()[0] {
					order = append(order, '1'+byte(i))
				}
			}
			return true
		})
		// The loop is blocked while requests arrive, as by a slow hook.
		held, release := make(chan struct{}), make(chan struct{})
		c.Sched().Post(func() { close(held); <-release })
		<-held
		w.servers[0].ask(20)
		synctest.Wait()
		w.servers[1].ask(1)
		synctest.Wait()
		close(release)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if got := bytes.IndexByte(order, '2'); len(order) != 21 || got < 0 || got > 1 {
			t.Errorf("answers in the order %s, want the second server's behind one of the first at most", order)
		}
	})
}
