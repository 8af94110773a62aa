package dtls

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	pion "github.com/pion/dtls/v3"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
)

func TestPSKEverySuite(t *testing.T) {
	for _, u := range usable(true) {
		t.Run(u.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, 1)
				startPion(t, w.packets, pskServer(pion.CipherSuiteID(u.id))...)
				s := w.socket(t, pskSecurity())
				mustConnect(t, s, serverEnd)
				for _, size := range []int{0, 1, 15, 16, 17, 1000, s.InnerMTU()} {
					mustEcho(t, s, string(make([]byte, size)))
				}
				if got := linkOf(t, s).secrets.suite.name; got != u.name {
					t.Errorf("suite %s", got)
				}
			})
		})
	}
}

func TestPSKOverBadLinks(t *testing.T) {
	for seed := range uint64(12) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld(t, seed)
				mustDefault(t, w, simnet.Link{Loss: 0.3, Duplicate: 0.2, Delay: 20 * time.Millisecond, Jitter: 50 * time.Millisecond})
				startPion(t, w.packets, pskServer()...)
				s := w.socket(t, pskSecurity())
				mustConnect(t, s, serverEnd)
				for i := range 20 {
					mustEcho(t, s, fmt.Sprint("message ", i))
				}
				if s.State() != socket.StateConnected {
					t.Error(s.State())
				}
			})
		})
	}
}
