package lwm2mserver_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

func TestConfigIsChecked(t *testing.T) {
	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	for want, cfg := range map[string]lwm2mserver.Config{
		"Config.Listeners is empty": {},
		"Config.History is -1":      {Listeners: []socket.Listener{l}, History: -1},
		"Config.AwakeTime is -1s":   {Listeners: []socket.Listener{l}, AwakeTime: -time.Second},
		"Config.MaxHeld is -1":      {Listeners: []socket.Listener{l}, MaxHeld: -1},
		"Config.Transmission: ":     {Listeners: []socket.Listener{l}, Transmission: coap.Params{NStart: -1}},
	} {
		if _, err := lwm2mserver.New(cfg); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("New: %v, want %q", err, want)
		}
	}
}

// Waiting ends with the context and with the server, each with its error.
func TestWaitEnds(t *testing.T) {
	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	srv, err := lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{l}})
	if err != nil {
		t.Fatal(err)
	}
	waits := func(ctx context.Context) map[string]error {
		_, errRegistered := srv.WaitRegistered(ctx, "heater-1")
		_, _, errEvent := srv.WaitEvent(ctx, 0, nil)
		_, _, errRequest := srv.WaitRequest(ctx, 0, nil)
		return map[string]error{"WaitRegistered": errRegistered, "WaitEvent": errEvent, "WaitRequest": errRequest}
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	for name, err := range waits(ended) {
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s with an ended context: %v", name, err)
		}
	}
	srv.Close()
	for name, err := range waits(t.Context()) {
		if !errors.Is(err, lwm2mserver.ErrClosed) {
			t.Errorf("%s of a closed server: %v", name, err)
		}
	}
}
