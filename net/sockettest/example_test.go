package sockettest_test

import (
	"fmt"
	"testing"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/sockettest"
)

// The test of a port: a new pair for every check, and as many surroundings as the network has.
func ExampleRun() {
	test := func(t *testing.T) { // TestConformance
		sockettest.Run(t, func(t testing.TB) sockettest.Rig {
			n := simnet.New(1)
			device, server := n.NewHost("device"), n.NewHost("server")
			l, err := server.Listen(5683)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = l.Close() })
			return sockettest.Rig{
				Dialer:  device.Dialer(), // the port
				Remote:  socket.Endpoint{Host: "server", Port: 5683},
				Peer:    l,
				Unused:  socket.Endpoint{Host: "server", Port: 9},
				Unknown: "nobody",
			}
		})
	}
	_ = test
}

// The least that a port can offer, and what does not work on it.
func ExampleBare() {
	s, err := sockettest.Bare(simnet.New(1).NewHost("device").Dialer()).NewSocket(socket.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, l := range socket.Detect(s).Lacks(s.Kind(), false) {
		fmt.Print(l.Ability, " ") // l.Lost says what that means
	}
	// Output: Addresses Binder Alternates Counters Handle Notifier ReceiverOff Shutdowner
}
