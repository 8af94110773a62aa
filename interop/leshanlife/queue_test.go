package leshanlife_test

import (
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/interop/internal/relay"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// TestQueueMode: device and server agree on when the device sleeps. Leshan sends nothing to a
// sleeping device and refuses the requests of its own users. A change wakes the device: the Update
// goes first, the notification follows, and the device is managed again. Waking costs no handshake.
func TestQueueMode(t *testing.T) {
	p := startPeer(t, 0, 0)
	for _, test := range []struct {
		name    string
		version registry.Version
		secured bool
	}{
		{"LwM2M 1.0, binding UQ", registry.V(1, 0), false},
		{"LwM2M 1.1, parameter Q", registry.V(1, 1), false},
		{"DTLS with a Connection ID", registry.V(1, 1), true},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			name := test.name
			if test.secured {
				p.do(t, "key", name, "")
			}
			nat := relay.New(t, p.port(test.secured))
			l := life{Endpoint: name, Port: nat.Endpoint().Port, Secured: test.secured, Lifetime: 5 * time.Minute, Value: 20}
			s := run(t, l, func(c *lwm2m.Config) {
				c.MaxVersion, c.QueueMode = test.version, &lwm2m.QueueMode{AwakeTime: awakeTime}
			})
			reg := p.event(t, name, "registered")
			if !reg.Queue {
				t.Errorf("registered %+v, want queue mode", reg)
			}
			p.expect(t, "observe", name, "20.0")
			asleep := func(value string) {
				t.Helper()
				p.event(t, name, "awake")
				p.expect(t, "read", name, value)
				p.event(t, name, "asleep")
				s.until(t, "the device sleeps", func(st lwm2m.ServerStatus) bool { return st.State == lwm2m.StateAsleep })
				nat.Take()
				if m := p.do(t, "read", name, "/3303/0/5700"); m.Error != "ClientSleepingException" {
					t.Errorf("a read while the device sleeps: %+v", m)
				}
				if seen := nat.Take(); seen.Datagrams != 0 {
					t.Errorf("while the device sleeps: %+v", seen)
				}
			}
			asleep("20.0")

			s.measure(t, 21)
			first := p.Take(t, "a message of "+name, func(m message) bool {
				return m.Endpoint == name && (m.Event == "updated" || m.Event == "notification")
			})
			if first.Event != "updated" || first.Registration != reg.Registration {
				t.Errorf("registered %+v, first after sleep %+v; want an Update", reg, first)
			}
			p.notified(t, name, "21.0")
			asleep("21.0")

			if err := s.Update(1); err != nil {
				t.Fatal(err)
			}
			p.event(t, name, "updated")
			p.event(t, name, "awake")
			p.expect(t, "read", name, "21.0")
			if seen := nat.Take(); seen.Handshake != 0 || p.count(name, "registered") != 0 {
				t.Errorf("after sleep: %+v; want no handshake and no Register", seen)
			}
		})
	}
}
