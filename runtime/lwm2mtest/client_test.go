package lwm2mtest_test

import (
	"context"
	"io"
	"log/slog"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// startClient runs the toolkit's client on a simulated network, at a server with the given scheme.
func startClient(t *testing.T, scheme string, queueMode bool) (*lwm2mtest.Server, *lwm2m.Client) {
	t.Helper()
	n := simnet.New(1)
	site, cloud := n.NewHost("site"), n.NewHost("cloud")
	key := socket.NewSecret([]byte("0123456789abcdef"))
	listen := cloud.Listen
	if scheme == "coap+tcp" {
		listen = cloud.ListenStream
	}
	l, err := listen(5683)
	if scheme == "coaps" && err == nil {
		l, err = dtls.Listen(l, dtls.ServerConfig{
			Key: func([]byte) (socket.Secret, error) { return key, nil }, ConnectionIDLength: 6,
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	srv := lwm2mtest.NewServer(t, l)
	dev, err := device.New(device.Config{})
	if err == nil {
		err = dev.Add(0, device.Instance{
			Reboot:    func(context.Context, dm.Args) error { return nil },
			ErrorCode: dm.List[int64](0), SupportedBindingAndModes: dm.Str("U"), Manufacturer: dm.Str("Example"),
		})
	}
	if err != nil {
		t.Fatal(err)
	}
	account := lwm2m.Server{URI: scheme + "://cloud:5683", Lifetime: time.Hour}
	if scheme == "coaps" {
		account.PSK = lwm2m.PSK{Identity: "client", Key: key}
	}
	var sleep *lwm2m.QueueMode
	if queueMode {
		sleep = &lwm2m.QueueMode{}
	}
	c, err := lwm2m.New(lwm2m.Config{
		Endpoint: "client", Objects: []dm.Object{dev}, Servers: []lwm2m.Server{account}, QueueMode: sleep,
		Dialers: []socket.Dialer{site.Dialer(), site.StreamDialer(), dtls.Dialer{Below: site.Dialer()}},
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
	})
	if err != nil {
		t.Fatal(err)
	}
	srv.Run(c.Run)
	return srv, c
}

// The toolkit's client is back after every restart of the server within two of its lifetimes.
func TestClientSurvivesRestarts(t *testing.T) {
	for _, scheme := range []string{"coap", "coap+tcp", "coaps"} {
		for name, lost := range map[string]lwm2mtest.Loss{
			"registrations": lwm2mtest.LoseRegistrations,
			"sessions":      lwm2mtest.LoseSessions,
			"all":           lwm2mtest.LoseSessions | lwm2mtest.LoseRegistrations,
		} {
			t.Run(scheme+" "+name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					srv, _ := startClient(t, scheme, false)
					srv.WaitRegistered("client")
					srv.Restart(lost)
					<-time.After(2 * time.Hour)
					requireManufacturer(t, srv.WaitRegistered("client"))
				})
			})
		}
	}
}

// Requests to the toolkit's client in queue mode are answered after its next Update, over every
// transport.
func TestClientInQueueMode(t *testing.T) {
	for _, scheme := range []string{"coap", "coap+tcp", "coaps"} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				srv, _ := startClient(t, scheme, true)
				srv.WaitRegistered("client")
				dev := srv.WaitAsleep("client")
				updates := len(srv.Requests())
				requireManufacturer(t, dev)
				if got := len(srv.Requests()) - updates; got != 1 {
					t.Errorf("%d requests of the device came before the answer, want its Update", got)
				}
			})
		})
	}
}

// requireManufacturer fails the test if the server cannot read from the device within two hours.
func requireManufacturer(t *testing.T, dev *lwm2mtest.Client) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Hour)
	defer cancel()
	a, err := dev.Read(ctx, "/3/0/0", content.Text)
	if err != nil || a.Code != coap.Content || a.Text() != "Example" {
		t.Errorf("Read: %v, %v", a, err)
	}
}
