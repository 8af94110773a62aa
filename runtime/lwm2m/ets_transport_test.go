package lwm2m_test

import (
	"slices"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

func TestETS_1_1_int_106_TCPBinding(t *testing.T) {
	onBench(t, func(b *bench) {
		l, err := b.place.ListenStream(5683)
		must(b.t, err)
		b.server = lwm2mtest.NewServer(b.t, l)
		b.cfg.Servers = []lwm2m.Server{{URI: "coap+tcp://server"}}
		b.cfg.Dialers = []socket.Dialer{b.device.StreamDialer()}
		begins := make(chan coap.Code, 2) // what each side sends first
		seen := map[string]bool{}
		b.net.SetFilter(func(p simnet.Packet) bool {
			if from := p.From.String(); len(p.Data) > 3 && !seen[from] {
				seen[from] = true
				extended := max(0, int(p.Data[0]>>4)-12) // bytes of the length (RFC 8323 §3.2)
				begins <- coap.Code(p.Data[1+extended])
			}
			return true
		})
		b.start()
		r := b.next()
		if r.Method != coap.POST || r.Path != "/rd" || !slices.Contains(r.Query, "b=T") {
			b.t.Errorf("the device sent %v, want a Register with b=T", r)
		}
		for range 2 {
			if c := <-begins; c != coap.CSM {
				b.t.Errorf("a side begins with %v, want a CSM", c)
			}
		}
		b.server.WaitRegistered("dev")
		synctest.Wait()
		if s, _ := b.client.Status().Server(1); s.State != lwm2m.StateRegistered {
			b.t.Errorf("status %v", s)
		}
	})
}

func TestETS_1_1_int_108_QueueModeOn(t *testing.T) {
	onBench(t, func(b *bench) {
		b.cfg.QueueMode = &lwm2m.QueueMode{}
		b.start()
		r := b.next()
		if r.Path != "/rd" || !slices.Contains(r.Query, "Q") || !slices.Contains(r.Query, "b=U") {
			b.t.Errorf("the device sent %v, want a Register with Q", r)
		}
		if _, queued := b.server.WaitRegistered("dev").Registration().Params["Q"]; !queued {
			b.t.Error("the server does not have the device in queue mode")
		}
	})
}
