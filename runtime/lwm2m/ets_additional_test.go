package lwm2m_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/binaryappdata"
	"github.com/lwm2mgen/toolkit/runtime/objects/eventlog"
	"github.com/lwm2mgen/toolkit/runtime/objects/location"
)

// located is the Location object of configuration C.7.
func located(t *testing.T) (*location.Location, func(latitude float64, at time.Time)) {
	t.Helper()
	l, err := location.New(location.Config{})
	must(t, err)
	move := func(latitude float64, at time.Time) {
		t.Helper()
		must(t, l.Set(context.Background(), location.Fix{
			Latitude: latitude, Longitude: 153.2176, Time: at, Altitude: dm.Float(140), Radius: dm.Float(100),
			Velocity: &location.Velocity{Horizontal: 3},
		}))
	}
	move(43.5723, time.Unix(1367491215, 0))
	return l, move
}

func locatedJSON(latitude float64, at time.Time) string {
	return fmt.Sprintf(`[{"bn":"/6/0/","n":"0","v":%v},{"n":"1","v":153.2176},{"n":"2","v":140},{"n":"3","v":100},`+
		`{"n":"4","vd":"AAAACw"},{"n":"5","v":%d},{"n":"6","v":3}]`, latitude, at.Unix())
}

func TestETS_1_1_int_801_ReadLocation(t *testing.T) {
	onObjects(t, func(m *managed) []dm.Object {
		l, _ := located(m.t)
		return []dm.Object{l}
	}, func(m *managed) {
		m.same("the object", m.valuesAt("/6/0"), []string{"/6/0/0=43.5723", "/6/0/1=153.2176", "/6/0/2=140",
			"/6/0/3=100", "/6/0/4=" + dm.OpaqueValue([]byte{0, 0, 0, 11}).String(), "/6/0/5=2013-05-02T10:40:15Z", "/6/0/6=3"})
	})
}

func TestETS_1_1_int_810_ObserveLocation(t *testing.T) {
	var move func(float64, time.Time)
	onObjects(t, func(m *managed) []dm.Object {
		var l *location.Location
		l, move = located(m.t)
		return []dm.Object{l}
	}, func(m *managed) {
		first := locatedJSON(43.5723, time.Unix(1367491215, 0))
		m.attributes("/6/0", "pmin=2", "pmax=10")
		w := m.observes("/6/0", first)
		w.after(10*time.Second, first)
		<-time.After(time.Second)
		move(44, time.Now())
		now := time.Now()
		w.after(2*time.Second, locatedJSON(44, now)) // not before pmin
		w.after(10*time.Second, locatedJSON(44, now))
	})
}

// contained is the BinaryAppDataContainer object of configuration C.15: instance 0 leads to the
// server, instance 1 to the device.
func contained(t *testing.T) *binaryappdata.BinaryAppData {
	t.Helper()
	b, err := binaryappdata.New(binaryappdata.Config{})
	must(t, err)
	must(t, b.Add(0, binaryappdata.Instance{Data: dm.ByteLists([]byte("17"))}))
	must(t, b.Add(1, binaryappdata.Instance{Data: dm.ByteLists()}))
	return b
}

func TestETS_1_1_int_1900_ObserveBinaryAppData(t *testing.T) {
	var b *binaryappdata.BinaryAppData
	onObjects(t, func(m *managed) []dm.Object {
		b = contained(m.t)
		return []dm.Object{b}
	}, func(m *managed) {
		m.discovers("/19", "", "</19>,</19/0>,</19/0/0>;dim=1,</19/1>,</19/1/0>;dim=0")
		m.attributes("/19/0/0", "pmin=300", "pmax=3600")
		const first, second = `[{"bn":"/19/0/0/","n":"0","vd":"MTc"}]`, `[{"bn":"/19/0/0/","n":"0","vd":"MTg"}]`
		w := m.observes("/19/0/0", first)
		w.after(time.Hour, first)
		must(m.t, b.Post(context.Background(), 0, []byte("18")))
		w.after(5*time.Minute, second)
		w.after(time.Hour, second)
	})
}

func TestETS_1_1_int_1901_WriteBinaryAppData(t *testing.T) {
	onObjects(t, func(m *managed) []dm.Object { return []dm.Object{contained(m.t)} }, func(m *managed) {
		const data = "8500 4300 6F6E65" // Data 0 is "one"
		m.put("/19/1/0", content.TLV, data)
		m.reads("/19/1/0", content.TLV, data)
	})
}

// logged is the Event Log object of configuration C.16, with an entry in a log that is stopped.
func logged(t *testing.T) (dm.Object, *eventlog.Log) {
	t.Helper()
	o, err := eventlog.New(eventlog.Config{})
	must(t, err)
	l, err := o.AddLog(0, eventlog.LogConfig{Running: true})
	must(t, err)
	fmt.Fprint(l, "boot;")
	l.Stop()
	return o, l
}

// The specification writes and reads LogStart, which is an executable: it is executed here, and the
// printed operations are refused.
func TestETS_1_1_int_2000_StartEventLog(t *testing.T) {
	var l *eventlog.Log
	onObjects(t, func(m *managed) (objects []dm.Object) {
		var o dm.Object
		o, l = logged(m.t)
		return []dm.Object{o}
	}, func(m *managed) {
		m.write(coap.MethodNotAllowed, coap.PUT, "/20/0/4011", content.Text, "0")
		m.answers(coap.MethodNotAllowed, lwm2mtest.Operation{Method: coap.GET, Path: "/20/0/4011", Accept: content.None,
			Format: content.None})
		m.reads("/20/0/4013", content.Text, "3")
		m.executes("/20/0/4011")
		m.reads("/20/0/4013", content.Text, "0")
		fmt.Fprint(l, "run;")
		m.reads("/20/0/4013", content.Text, "2")
		m.reads("/20/0/4014", content.Opaque, "72756E3B")
		m.executes("/20/0/4012")
		m.reads("/20/0/4013", content.Text, "3")
	})
}

func TestETS_1_1_int_2001_ReadEventLog(t *testing.T) {
	onObjects(t, func(m *managed) []dm.Object {
		o, _ := logged(m.t)
		return []dm.Object{o}
	}, func(m *managed) {
		m.reads("/20/0", content.TLV, "E1 0FAA 00 E1 0FAD 03 E5 0FAE 626F6F743B")
	})
}
