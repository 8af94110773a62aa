package lwm2m_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/dtls"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// withKey returns the configuration of a server that has one key for every identity.
func withKey(key string) dtls.ServerConfig {
	return dtls.ServerConfig{
		Key: func([]byte) (socket.Secret, error) { return socket.NewSecret([]byte(key)), nil },
	}
}

// The device registers over DTLS with a pre-shared key and is read. With another key the status
// says why it is not registered.
func TestETS_1_1_int_401_DTLSPSK(t *testing.T) {
	for _, key := range []string{"right", "wrong"} {
		synctest.Test(t, func(t *testing.T) {
			n := simnet.New(1)
			below, err := n.NewHost("s").Listen(5684)
			if err != nil {
				t.Fatal(err)
			}
			l, err := dtls.Listen(below, withKey("right"))
			if err != nil {
				t.Fatal(err)
			}
			srv := lwm2mtest.NewServer(t, l)
			c, err := lwm2m.New(lwm2m.Config{
				Endpoint: "dev", Objects: []dm.Object{newDevice(t)}, Logger: quiet(),
				Servers: []lwm2m.Server{{URI: "coaps://s", PSK: lwm2m.PSK{Identity: "dev", Key: socket.NewSecret([]byte(key))},
					Lifetime: time.Minute}},
				Dialers: []socket.Dialer{n.NewHost("device").Dialer(), dtls.Dialer{}},
			})
			if err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- c.Run(ctx) }()
			if key == "right" {
				ans, err := srv.WaitRegistered("dev").Read(context.Background(), "/3/0/16", content.Text)
				if err != nil || ans.Code != coap.Content || ans.Text() != "U" {
					t.Errorf("Read: %v, %v", ans, err)
				}
			} else {
				<-time.After(5 * time.Minute)
				s, _ := c.Status().Server(1)
				if s.State.Registered() || !errors.Is(s.Err, context.DeadlineExceeded) &&
					!errors.Is(s.Err, socket.ErrTimeout) {
					t.Errorf("status %v", s)
				}
				t.Log(s)
			}
			stop()
			if err := <-ended; err != nil {
				t.Error(err)
			}
		})
	}
}

// A device without an endpoint name is known by the identity of the handshake (Core 1.2.2 §6.2.1).
func TestEndpointNameFromIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := simnet.New(1)
		below, err := n.NewHost("s").Listen(5684)
		if err != nil {
			t.Fatal(err)
		}
		l, err := dtls.Listen(below, withKey("key"))
		if err != nil {
			t.Fatal(err)
		}
		srv := lwm2mtest.NewServer(t, l)
		c, err := lwm2m.New(lwm2m.Config{
			Objects: []dm.Object{newDevice(t)}, Logger: quiet(),
			Servers: []lwm2m.Server{{URI: "coaps://s", PSK: lwm2m.PSK{Identity: "probe-7", Key: socket.NewSecret([]byte("key"))},
				Lifetime: time.Minute}},
			Dialers: []socket.Dialer{n.NewHost("device").Dialer(), dtls.Dialer{}},
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, stop := context.WithCancel(context.Background())
		ended := make(chan error, 1)
		go func() { ended <- c.Run(ctx) }()
		reg := srv.WaitRegistered("probe-7").Registration()
		if sent, ok := reg.Params["ep"]; ok || reg.Endpoint != "probe-7" {
			t.Errorf("the endpoint %q with ep=%q", reg.Endpoint, sent)
		}
		stop()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	})
}
