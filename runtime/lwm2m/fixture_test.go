package lwm2m_test

import (
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
)

func linkDelay(d time.Duration) simnet.Link { return simnet.Link{Delay: d} }

// newSensor is a Temperature object with these instances.
func newSensor(t *testing.T, ids ...dm.InstanceID) *temperature.Object {
	t.Helper()
	o, err := temperature.New(temperature.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range ids {
		if err := o.Add(id, temperature.Instance{SensorValue: dm.Float(20)}); err != nil {
			t.Fatal(err)
		}
	}
	return o
}

// accounts are Security and Server objects made by the application, with accounts that lead to s1, s2, ...
func accounts(t *testing.T, n int) (*security.Object, *server.Object) {
	t.Helper()
	sec, err := security.New(security.Config{})
	if err != nil {
		t.Fatal(err)
	}
	srv, err := server.New(server.Config{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range n {
		addAccount(t, sec, srv, dm.InstanceID(i+1), "coap://s"+string(rune('1'+i)))
	}
	return sec, srv
}

// addAccount adds an account whose instances and Short Server ID are id.
func addAccount(t *testing.T, sec *security.Object, srv *server.Object, id dm.InstanceID, uri string) {
	t.Helper()
	s := security.Template()
	s.ServerURI, s.BootstrapServer, s.SecurityMode = dm.Str(uri), dm.Bool(false), dm.Int(3)
	s.ShortServerID = dm.Int(int64(id))
	if err := sec.Add(id, s); err != nil {
		t.Fatal(err)
	}
	i := server.Template()
	i.ShortServerID, i.Lifetime, i.Binding = dm.Int(int64(id)), dm.Int(3600), dm.Str("U")
	i.NotificationStoringWhenDisabledOrOffline = dm.Bool(true)
	if err := srv.Add(id, i); err != nil {
		t.Fatal(err)
	}
}
