package lwm2m_test

import (
	"testing"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
)

// unmuted lets the device send to its server.
func unmuted(m *managed) {
	set := m.cfg.Servers[0].Instance
	m.cfg.Servers[0].Instance = func(i *lwm2m.ServerInstance) {
		set(i)
		i.MuteSend = dm.Bool(false)
	}
}

// sender returns the device as one that sends to its server.
func (m *managed) sender() *sender { return &sender{bench: m.bench, dev: m.dev} }

// onSendingDevice runs a case with each version that has Send.
func onSendingDevice(t *testing.T, fn func(m *managed, s *sender)) {
	t.Helper()
	for _, v := range since11 {
		onVersion(t, v, unmuted, func(m *managed) { fn(m, m.sender()) })
	}
}

func TestETS_1_1_int_306_Send(t *testing.T) {
	onSendingDevice(t, func(m *managed, s *sender) {
		b := batchOf(dm.ResourcePath(3, 0, device.PowerSourceVoltageID), dm.ResourcePath(3303, 0, 5700))
		r := s.wants(b, lwm2m.SendAcknowledged, "") // 2.04
		if len(r.LeftOut) != 1 || r.LeftOut[0].Path != dm.ResourcePath(3303, 0, 5700) {
			m.t.Errorf("left out %+v, want the object that the device has not registered", r.LeftOut)
		}
		s.wantReceived("/3/0/7/0=3800", "/3/0/7/1=5000")
		if q := m.next(); q.Method != coap.POST || q.Path != "/dp" || q.Format != content.SenMLCBOR {
			m.t.Errorf("the device sent %v in %v", q, q.Format)
		}
		m.silent()
	})
}

func TestETS_1_1_int_307_MuteSend(t *testing.T) {
	onSendingDevice(t, func(m *managed, s *sender) {
		b := batchOf(dm.ResourcePath(3, 0, device.BatteryLevelID))
		s.wants(b, lwm2m.SendAcknowledged, "")
		m.put("/1/0/23", content.Text, "1")
		s.wants(b, lwm2m.SendMuted, "muted by /1/0/23")
		s.wantReceived("/3/0/9=100")
		m.put("/1/0/23", content.Text, "0")
		s.wants(b, lwm2m.SendAcknowledged, "")
		s.wantReceived("/3/0/9=100", "/3/0/9=100")
	})
}

func TestETS_1_1_int_311_SendCommand(t *testing.T) {
	onSendingDevice(t, func(m *managed, s *sender) {
		for _, f := range []content.Format{content.SenMLJSON, content.SenMLCBOR} {
			b := batchOf(dm.ResourcePath(1, 0, server.LifetimeID), dm.ResourceInstancePath(3, 0, device.ErrorCodeID, 0))
			b.Format = f
			s.wants(b, lwm2m.SendAcknowledged, "") // 2.04
		}
		s.wantReceived("/1/0/1=86400", "/3/0/11/0=0", "/1/0/1=86400", "/3/0/11/0=0")
		if a := m.dev.Sent()[0]; a.Text() != `[{"bn":"/1/0/","n":"1","v":86400},{"bn":"/3/0/","n":"11/0","v":0}]` {
			m.t.Errorf("the server has received %v", a)
		}
	})
}
