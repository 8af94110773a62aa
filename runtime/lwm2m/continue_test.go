package lwm2m_test

import (
	"context"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// TestExecuteOnceOverConnections: the acknowledgement of an Execute is lost, and the device ends
// the connection and makes another. The server's retransmission arrives on the new one: it is
// answered, and the function is not called a second time.
func TestExecuteOnceOverConnections(t *testing.T) {
	suspend := func(c *lwm2m.Client, _ *simnet.Host) { c.Suspend(); <-time.After(time.Second); c.Resume() }
	reconnect := func(c *lwm2m.Client, _ *simnet.Host) { _ = c.Reconnect(1) }
	move := func(c *lwm2m.Client, h *simnet.Host) { h.Move(); _ = c.Reconnect(1) }
	for name, c := range map[string]struct {
		secured bool // by DTLS with a Connection ID
		end     func(*lwm2m.Client, *simnet.Host)
	}{
		"suspended":                  {false, suspend},
		"reconnected":                {false, reconnect},
		"suspended, Connection ID":   {true, suspend},
		"reconnected, Connection ID": {true, reconnect},
		"moved, Connection ID":       {true, move},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { executeOnce(t, c.secured, c.end) })
		})
	}
}

func executeOnce(t *testing.T, secured bool, end func(*lwm2m.Client, *simnet.Host)) {
	n := simnet.New(1)
	host := n.NewHost("device")
	port, account := uint16(5683), lwm2m.Server{URI: "coap://s", Lifetime: time.Hour}
	if secured {
		port, account.URI = 5684, "coaps://s"
		account.PSK = lwm2m.PSK{Identity: "dev", Key: socket.NewSecret([]byte("key"))}
	}
	l, err := n.NewHost("s").Listen(port)
	if err == nil && secured {
		cfg := withKey("key")
		cfg.ConnectionIDLength = 8
		l, err = dtls.Listen(l, cfg)
	}
	if err != nil {
		t.Fatal(err)
	}
	srv := lwm2mtest.NewServer(t, l)
	var calls atomic.Int32
	var silent atomic.Bool
	n.SetFilter(func(p simnet.Packet) bool { return p.To.Port() != port || !silent.Load() })
	dev, err := device.New(device.Config{})
	if err != nil {
		t.Fatal(err)
	}
	err = dev.Add(0, device.Instance{
		Reboot: func(context.Context, dm.Args) error {
			calls.Add(1)
			silent.Store(true) // the acknowledgement is lost
			return nil
		},
		ErrorCode: dm.Ints(0), SupportedBindingAndModes: dm.Str("U"),
	})
	if err != nil {
		t.Fatal(err)
	}
	c, err := lwm2m.New(lwm2m.Config{
		Endpoint: "dev", Objects: []dm.Object{dev}, Logger: quiet(), Servers: []lwm2m.Server{account},
		Dialers: []socket.Dialer{host.Dialer(), dtls.Dialer{}},
	})
	if err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	registered := srv.WaitRegistered("dev")
	answered := make(chan string, 1)
	go func() {
		ans, err := registered.Execute(ctx, "/3/0/4", "")
		answered <- fmt.Sprint(ans.Code, err)
	}()
	synctest.Wait()
	end(c, host)
	silent.Store(false)
	if got, want := <-answered, fmt.Sprint(coap.Changed, nil); got != want {
		t.Errorf("the server got %s, want %s", got, want)
	}
	if n := calls.Load(); n != 1 {
		t.Errorf("executed %d times", n)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}
