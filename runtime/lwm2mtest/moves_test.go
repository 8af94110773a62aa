package lwm2mtest_test

import (
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// Without security, the server decides whether an Update may come from another address.
func TestUpdateFromAnotherAddress(t *testing.T) {
	for name, refused := range map[string]bool{"accepted": false, "refused": true} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := newBench(t, false, lwm2mserver.Config{RefuseMoves: refused})
				d := b.newDevice(t, "")
				d.register("ep=hand", "lwm2m=1.1")
				dev := b.WaitRegistered("hand")
				moved := b.newDeviceAt(t, b.net.NewHost("elsewhere"), "")
				moved.location = d.location
				if !refused {
					if code := moved.update(); code != coap.Changed {
						t.Errorf("Update: %v, want 2.04", code)
					}
					moved.requireReadable(dev)
					return
				}
				if code := moved.update(); code != coap.NotFound {
					t.Errorf("Update: %v, want 4.04", code)
				}
				if code := moved.request(coap.DELETE, d.location, "").Code; code != coap.NotFound {
					t.Errorf("De-register: %v, want 4.04", code)
				}
				d.requireReadable(dev) // where it was
				b.Restart(lwm2mtest.LoseSessions)
				if code := d.update(); code != coap.Changed {
					t.Errorf("Update from the old address after a restart: %v", code)
				}
				moved.register("ep=hand", "lwm2m=1.1")
				moved.requireReadable(dev)
				if code := d.update(); code != coap.NotFound {
					t.Errorf("Update of the registration before: %v, want 4.04", code)
				}
			})
		})
	}
}

// With a Connection ID, a NAT that changes the address of a device changes nothing else.
func TestAddressChangesBehindNAT(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, true, lwm2mserver.Config{RefuseMoves: true})
		nat := b.net.NewNAT()
		d := b.newDeviceAt(t, nat.NewHost("inside"), "hand")
		d.register("lwm2m=1.1", "Q")
		dev := b.WaitRegistered("hand")
		for range 3 {
			b.fallAsleep()
			nat.Rebind()
			got := read(t, dev, "/3/0/9")
			synctest.Wait()
			if code := d.update(); code != coap.Changed {
				t.Fatalf("Update: %v, want 2.04", code)
			}
			d.answer(d.requireRequest(coap.GET, "/3/0/9"), "9")
			if o := <-got; o.err != nil {
				t.Error(o.err)
			}
		}
	})
}

// With security, a registration belongs to the identity that made it.
func TestUpdateOfAnotherIdentity(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t, true, lwm2mserver.Config{})
		d := b.newDevice(t, "hand")
		d.register("lwm2m=1.1")
		dev := b.WaitRegistered("hand")
		other := b.newDeviceAt(t, b.net.NewHost("elsewhere"), "other")
		other.location = d.location
		if code := other.update("lt=60"); code != coap.NotFound {
			t.Errorf("Update: %v, want 4.04", code)
		}
		if code := other.request(coap.DELETE, d.location, "").Code; code != coap.NotFound {
			t.Errorf("De-register: %v, want 4.04", code)
		}
		d.requireReadable(dev)
	})
}
