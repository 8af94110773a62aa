// Package sockettest is the conformance kit for ports of package socket. It checks everything that
// [socket.Socket] and the optional abilities promise, with a socket and a peer.
//
//	func TestPort(t *testing.T) {
//		sockettest.Run(t, func(t testing.TB) sockettest.Rig {
//			l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
//			if err != nil {
//				t.Fatal(err)
//			}
//			t.Cleanup(func() { l.Close() })
//			return sockettest.Rig{
//				Dialer: Dialer{}, // of the port
//				Remote: socket.Endpoint{Host: "127.0.0.1", Port: l.Addr().Port()},
//				Peer:   l,
//			}
//		})
//	}
//
// [Run] needs a [Rig]: the port under test, and a peer that is known to be good. It detects the
// abilities and checks those that the socket has; the test's log names the others and what your
// users lose without them. The further fields of Rig describe the surroundings that some checks
// need. A check without them is skipped and says so. If a check hangs, the kit ends it, with its
// name and the call that does not return, and skips the rest.
//
// The kit works with real networks, and in testing/synctest bubbles with simulated ones: there call
// [RunInBubbles], because a bubble has no subtests. [Bare] hides the abilities of a port, to test
// the layers above it with the least that a port offers.
package sockettest
