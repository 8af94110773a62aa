package lwm2m_test

import (
	"fmt"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// A bootstrap server may write another account over one of Config.Servers, with everything that the
// Security object can hold: the restrictions of the new account must not be lost.
func TestAccountOfConfigIsReplacedInPlace(t *testing.T) {
	host := simnet.New(1).NewHost("device")
	for name, old := range map[string]lwm2m.Server{
		"management server": {URI: "coap://old", ShortID: 1}, "bootstrap server": {URI: "coap://old", Bootstrap: true},
	} {
		c, err := lwm2m.New(lwm2m.Config{
			Endpoint: "dev", Logger: quiet(), Dialers: []socket.Dialer{host.Dialer()}, Objects: []dm.Object{newDevice(t)},
			Servers: []lwm2m.Server{old},
		})
		must(t, err)
		at := func(r dm.ResourceID) dm.Path { return dm.ResourcePath(0, 0, r) }
		suite, _ := at(16).Child(0)
		entries := []dm.Entry{
			{Path: at(0), Value: dm.StringValue("coap://new")}, {Path: at(1), Value: dm.BooleanValue(false)}, {Path: at(2), Value: dm.IntegerValue(3)},
			{Path: at(10), Value: dm.IntegerValue(7)}, {Path: at(11), Value: dm.IntegerValue(8)}, {Path: at(12), Value: dm.IntegerValue(9)},
			{Path: at(13), Value: dm.UnsignedValue(1)}, {Path: at(14), Value: dm.StringValue("server.example")},
			{Path: at(15), Value: dm.UnsignedValue(2)}, {Path: suite, Value: dm.UnsignedValue(0xc0ae)},
		}
		tx, err := c.Model().Begin(t.Context(), dm.Bootstrap)
		must(t, err)
		must(t, tx.Write(dm.InstancePath(0, 0), dm.Replace, entries))
		var got, want []string
		for _, e := range entries {
			want = append(want, fmt.Sprint(e.Path, e.Value))
		}
		must(t, tx.Snapshot().Stored(dm.InstancePath(0, 0), func(p dm.Path, v dm.Value) error {
			if v.Type() != registry.None && !v.IsSecret() {
				got = append(got, fmt.Sprint(p, v))
			}
			return nil
		}))
		tx.Rollback()
		c.Shutdown()
		if !slices.Equal(got, want) {
			t.Errorf("%s: the account is %q, want %q", name, got, want)
		}
	}
}
