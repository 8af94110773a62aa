package lwm2m_test

import (
	"context"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// onBatteries is onManaged with a Device of the resources that the cases of Discover list.
func onBatteries(t *testing.T, versions []registry.Version, fn func(m *managed)) {
	t.Helper()
	for _, v := range versions {
		onVersion(t, v, func(m *managed) {
			all := etsInstance()
			o, err := device.New(device.Config{})
			must(m.t, err)
			must(m.t, o.Add(0, device.Instance{
				ModelNumber: all.ModelNumber, SerialNumber: all.SerialNumber,
				FirmwareVersion: all.FirmwareVersion, Reboot: all.Reboot,
				AvailablePowerSources: all.AvailablePowerSources, PowerSourceVoltage: all.PowerSourceVoltage,
				PowerSourceCurrent: all.PowerSourceCurrent, BatteryLevel: all.BatteryLevel, ErrorCode: all.ErrorCode,
				SupportedBindingAndModes: all.SupportedBindingAndModes,
			}))
			m.object, m.cfg.Objects[0] = o, o
		}, fn)
	}
}

var (
	since11 = []registry.Version{registry.V(1, 1), registry.V(1, 2)}
	since12 = []registry.Version{registry.V(1, 2)}
)

func TestETS_1_1_int_260_Discover(t *testing.T) {
	onBatteries(t, since11, func(m *managed) {
		const rest = "</3/0/1>,</3/0/2>,</3/0/3>,</3/0/4>,</3/0/6>;dim=2,</3/0/7>;dim=2,</3/0/8>;dim=2,</3/0/9>,</3/0/11>;dim=1,</3/0/16>"
		m.discovers("/3", "", "</3>"+m.ver+",</3/0>,"+rest)
		m.attributes("/3", "pmin=10", "pmax=200")
		m.discovers("/3", "", "</3>"+m.ver+";pmin=10;pmax=200,</3/0>,"+rest)
		m.discovers("/3/0", "", "</3/0>;pmin=10;pmax=200,"+rest) // inherited
		m.attributes("/3/0/7", "lt=1", "gt=6", "st=1")
		m.discovers("/3/0", "", "</3/0>;pmin=10;pmax=200,</3/0/1>,</3/0/2>,</3/0/3>,</3/0/4>,</3/0/6>;dim=2,"+
			"</3/0/7>;dim=2;gt=6;lt=1;st=1,</3/0/8>;dim=2,</3/0/9>,</3/0/11>;dim=1,</3/0/16>")
		m.discovers("/3/0/7", "", "</3/0/7>;dim=2;pmin=10;pmax=200;gt=6;lt=1;st=1,</3/0/7/0>,</3/0/7/1>")
		m.discovers("/3/0/9", "", "</3/0/9>;pmin=10;pmax=200")
	})
}

func TestETS_1_1_int_261_WriteAttributesLevels(t *testing.T) {
	onBatteries(t, since11, func(m *managed) {
		m.discovers("/3/0/11", "", "</3/0/11>;dim=1,</3/0/11/0>")
		m.attributes("/3", "pmin=10", "pmax=200")
		m.attributes("/3/0", "pmax=320")
		m.attributes("/3/0/11/0", "pmax=100", "epmin=1", "epmax=20")
		m.discovers("/3/0/11", "", "</3/0/11>;dim=1;pmin=10;pmax=320,</3/0/11/0>;pmax=100;epmin=1;epmax=20")
		m.discovers("/3/0/11/0", "", "</3/0/11/0>;pmin=10;pmax=100;epmin=1;epmax=20")
		// The case prints a semicolon within one part of the query, which is an error.
		m.answers(coap.BadRequest, lwm2mtest.Operation{
			Method: coap.PUT, Path: "/3/0/11/0", Query: []string{"epmin=1;epmax=20"}, Accept: content.None,
			Format: content.None,
		})
	})
}

func TestETS_1_2_int_264_DiscoverDepth1(t *testing.T) {
	onBatteries(t, since12, func(m *managed) {
		m.discovers("/3", "depth=1", "</3>;pmin=1;pmax=10,</3/0>") // the defaults of /1/0
		m.attributes("/3", "pmin=20")
		m.attributes("/3/0", "pmax=60")
		m.discovers("/3", "depth=1", "</3>;pmin=20;pmax=10,</3/0>;pmax=60")
		m.discovers("/3", "depth=0", "</3>;pmin=20;pmax=10")
		m.discovers("/3/0/7", "depth=0", "</3/0/7>;dim=2;pmin=20;pmax=60")
	})
}

func TestETS_1_2_int_266_DiscoverDepth2And3(t *testing.T) {
	onBatteries(t, since12, func(m *managed) {
		m.attributes("/3/0", "pmin=20", "pmax=60")
		m.attributes("/3/0/7", "gt=5000")
		m.attributes("/3/0/7/1", "pmin=5", "lt=4000.5")
		m.discovers("/3", "depth=2", "</3>;pmin=1;pmax=10,</3/0>;pmin=20;pmax=60,</3/0/1>,</3/0/2>,</3/0/3>,</3/0/4>,</3/0/6>;dim=2,"+
			"</3/0/7>;dim=2;gt=5000,</3/0/8>;dim=2,</3/0/9>,</3/0/11>;dim=1,</3/0/16>")
		m.discovers("/3", "depth=3", "</3>;pmin=1;pmax=10,</3/0>;pmin=20;pmax=60,</3/0/1>,</3/0/2>,</3/0/3>,</3/0/4>,"+
			"</3/0/6>;dim=2,</3/0/6/0>,</3/0/6/1>,</3/0/7>;dim=2;gt=5000,</3/0/7/0>,</3/0/7/1>;pmin=5;lt=4000.5,"+
			"</3/0/8>;dim=2,</3/0/8/0>,</3/0/8/1>,</3/0/9>,</3/0/11>;dim=1,</3/0/11/0>,</3/0/16>")
		m.discovers("/3/0", "depth=1", "</3/0>;pmin=20;pmax=60,</3/0/1>,</3/0/2>,</3/0/3>,</3/0/4>,</3/0/6>;dim=2,"+
			"</3/0/7>;dim=2;gt=5000,</3/0/8>;dim=2,</3/0/9>,</3/0/11>;dim=1,</3/0/16>")
	})
}

func TestETS_1_1_int_221_SecurityIsClosed(t *testing.T) {
	onManaged(t, func(m *managed) {
		refused := func(op lwm2mtest.Operation) {
			m.t.Helper()
			if a := m.answers(coap.Unauthorized, op); len(a.Payload) > 100 {
				m.t.Errorf("the refusal says %q", a.Payload)
			}
		}
		for _, o := range []string{"/0", "/21", "/23"} {
			for _, path := range []string{o, o + "/0", o + "/0/0"} {
				refused(lwm2mtest.Operation{Method: coap.GET, Path: path, Accept: content.TLV, Format: content.None})
				refused(lwm2mtest.Operation{Method: coap.GET, Path: path, Accept: content.Link, Format: content.None})
				refused(lwm2mtest.Operation{Method: coap.PUT, Path: path, Accept: content.None,
					Format: content.Text, Payload: []byte("coap://x")})
				refused(lwm2mtest.Operation{Method: coap.PUT, Path: path, Query: []string{"pmin=10"},
					Accept: content.None, Format: content.None})
				refused(lwm2mtest.Operation{Method: coap.POST, Path: path, Accept: content.None, Format: content.None})
			}
			refused(lwm2mtest.Operation{Method: coap.DELETE, Path: o + "/0", Accept: content.None,
				Format: content.None})
			if obs, a, err := m.dev.Observe(context.Background(), o+"/0/0", content.TLV); obs != nil ||
				err != nil || a.Code != coap.Unauthorized {
				m.t.Errorf("Observe %s/0/0: %v (%v)", o, a, err)
			}
		}
		m.iPATCH(coap.Unauthorized, content.SenMLJSON, `[{"n":"/0/0/0","vs":"coap://x"}]`)
		uri := dm.ResourcePath(0, 0, 0)
		v, err := m.client.Model().Snapshot().Value(context.Background(), dm.Application, uri)
		if err != nil || v.Text() != "coap://server" {
			m.t.Errorf("the server's URI is %v (%v)", v, err)
		}
	})
}
