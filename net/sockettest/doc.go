// Package sockettest is the conformance kit for ports of package socket: it runs everything that [socket.Socket] and the optional
// abilities promise against a socket and a peer.
//
//	func TestPort(t *testing.T) {
//		sockettest.Run(t, func(t testing.TB) sockettest.Rig {
//			l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
//			if err != nil {
//				t.Fatal(err)
//			}
//			t.Cleanup(func() { l.Close() })
//			return sockettest.Rig{
//				Dialer: myport.Dialer{},
//				Remote: socket.Endpoint{Host: "127.0.0.1", Port: l.Addr().Port()},
//				Peer:   l,
//			}
//		})
//	}
//
// The abilities are detected, and only those that the socket has are checked; the test's log says which it does not have and what that means
// for its users. The further fields of [Rig] describe the surroundings that some checks need, and a check without them is
// skipped, saying so. A good port skips nothing that its network knows.
//
// The kit works with real networks, and with simulated ones in testing/synctest bubbles: there call RunInBubbles, as a bubble has no subtests.
package sockettest
