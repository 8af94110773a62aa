package lwm2m_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	genaccess "github.com/lwm2mgen/toolkit/generated/accesscontrol"
	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
	"github.com/lwm2mgen/toolkit/runtime/objects/enrolment"
)

// entries returns how many entries object 2 has.
func entriesOf(c *lwm2m.Client) (n int) {
	for range c.Model().Snapshot().Instances(genaccess.ObjectID) {
		n++
	}
	return n
}

// Rights survive a kill, those of an instance that a server has created included, and none is added
// because the instances are made again.
func TestRightsSurviveAKill(t *testing.T) {
	inLives(t, false, func(l *lives) {
		listener, err := l.net.NewHost("o").Listen(5683)
		if err != nil {
			t.Fatal(err)
		}
		other := lwm2mtest.NewServer(l.t, listener)
		config := func() lwm2m.Config {
			cfg, _ := l.withGoals()
			cfg.Servers = append(cfg.Servers, lwm2m.Server{URI: "coap://o", Lifetime: time.Hour})
			cfg.AccessControl = &lwm2m.AccessControl{Owner: 1, Rights: map[lwm2m.ShortServerID]accesscontrol.Rights{1: accesscontrol.All, 2: accesscontrol.Read}}
			return cfg
		}
		write := func(s *lwm2mtest.Server, want coap.Code) {
			t.Helper()
			a, err := s.WaitRegistered("dev").Write(context.Background(), "/3308/7/5900", content.Text, []byte("6"))
			changed(t, a, a.Code, want, err)
		}
		c := l.start(config())
		time.Sleep(time.Second)
		a, err := l.server.WaitRegistered("dev").Create(context.Background(), "/3308", content.SenMLJSON, []byte(`[{"bn":"/3308/7/","n":"5900","v":5}]`))
		changed(t, a, a.Code, coap.Created, err)
		write(l.server, coap.Changed)
		write(other, coap.Unauthorized)
		before := entriesOf(c)
		l.kill()

		c = l.start(config())
		time.Sleep(time.Second)
		if n := entriesOf(c); n != before {
			t.Errorf("%d entries after the restart, %d before", n, before)
		}
		write(l.server, coap.Changed)
		write(other, coap.Unauthorized)
		a, err = l.server.WaitRegistered("dev").Delete(context.Background(), dm.InstancePath(setpoint.ObjectID, 7).String())
		changed(t, a, a.Code, coap.Deleted, err)
		if n := entriesOf(c); n != before-1 {
			t.Errorf("%d entries after the Delete, %d before", n, before)
		}
	})
}

// The certificates of EST survive a kill, in an object that the client adds by itself.
func TestEnrolledCertificatesSurviveAKill(t *testing.T) {
	inLives(t, false, func(l *lives) {
		o, err := enrolment.New()
		if err != nil {
			t.Fatal(err)
		}
		if err := o.Add(0, enrolment.Instance{Certificates: dm.Key([]byte("chain")), PrivateKey: dm.Key([]byte("key"))}); err != nil {
			t.Fatal(err)
		}
		cfg := l.config()
		cfg.Objects = append(cfg.Objects, o)
		l.registered(cfg)
		l.kill()
		c := l.start(l.config())
		var got [][]byte
		err = c.Model().Snapshot().Stored(dm.InstancePath(enrolment.ObjectID, 0), func(_ dm.Path, v dm.Value) error {
			if b := v.Opaque(); len(b) > 0 {
				got = append(got, bytes.Clone(b))
			}
			return nil
		})
		if err != nil || len(got) != 2 || string(got[0]) != "chain" || string(got[1]) != "key" {
			t.Errorf("the device has %q (%v)", got, err)
		}
	})
}
