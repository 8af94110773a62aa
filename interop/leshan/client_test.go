package leshan_test

import (
	"context"
	"log/slog"
	"net/url"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// sensor is a device with objects 3 and 3303 in the process of the test.
type sensor struct {
	*lwm2m.Client
	things *temperature.Object
	stop   func() // shuts the device down
}

// startSensor runs a device that registers at a server. change changes its configuration.
func startSensor(t *testing.T, uri string, change func(*lwm2m.Config)) *sensor {
	t.Helper()
	dev, err := device.New(device.Config{Instance: device.Instance{Manufacturer: dm.Str("Example")}})
	if err != nil {
		t.Fatal(err)
	}
	things, err := temperature.New(temperature.Config{
		Template: temperature.Instance{SensorValue: dm.Float(0), ApplicationType: dm.Empty[string]()},
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := things.Add(0, temperature.Instance{SensorValue: dm.Float(21.5), ApplicationType: dm.Str("hall")}); err != nil {
		t.Fatal(err)
	}
	cfg := lwm2m.Config{
		Endpoint: endpoint, Servers: []lwm2m.Server{{URI: uri, Lifetime: 5 * time.Minute}},
		Objects: []dm.Object{dev, things}, Logger: slog.New(slog.DiscardHandler),
	}
	change(&cfg)
	c, err := lwm2m.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- c.Run(ctx) }()
	stopped := false
	s := &sensor{Client: c, things: things}
	s.stop = func() {
		if stopped {
			return
		}
		stopped = true
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(s.stop)
	return s
}

// setLabel changes /3303/0/5750 as the program of the device.
func (s *sensor) setLabel(t *testing.T, label string) {
	t.Helper()
	err := s.things.Update(context.Background(), 0, func(i *temperature.Instance) error {
		i.ApplicationType.Set(label)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

// notified waits for the notification of a value of /3303/0/5750.
func notified(t *testing.T, p *peer, want string) {
	t.Helper()
	for {
		n := p.event(t, "notification", patience)
		if n.code() != "205" {
			t.Errorf("notification: %+v", n)
		}
		if n.Values[""] == want {
			return
		}
	}
}

// manage performs operations with values in one format.
func manage(t *testing.T, p *peer, s *sensor, f string) {
	t.Helper()
	for path, value := range map[string]string{"/3303": "/0/5750", "/3303/0": "/5750", "/3303/0/5750": ""} {
		m := expect(t, p, "205", command{"op": "read", "path": path, "format": f})
		if m.Values[value] == "" {
			t.Errorf("%s in %s is %v", path, f, m.Values)
		}
	}
	expect(t, p, "204", command{"op": "write", "path": "/3303/0/5750", "format": f, "value": f})
	m := expect(t, p, "205", command{"op": "read", "path": "/3303/0/5750", "format": f})
	if m.Values[""] != f {
		t.Errorf("written in %s: %v", f, m.Values)
	}
	expect(t, p, "201", command{"op": "create", "path": "/3303", "format": f, "value": command{
		"id": 7, "resources": command{"5700": 4.5, "5750": "new"}}})
	expect(t, p, "202", command{"op": "delete", "path": "/3303/7"})
	expect(t, p, "205", command{"op": "observe", "path": "/3303/0/5750", "format": f})
	s.setLabel(t, "seen in "+f)
	notified(t, p, "seen in "+f)
	expect(t, p, "205", command{"op": "cancel", "path": "/3303/0/5750"})
}

func TestClient(t *testing.T) {
	p := startPeer(t, "../../objects-xml")
	run := func(name string, change func(*lwm2m.Config), fn func(t *testing.T, s *sensor, reg message)) {
		t.Run(name, func(t *testing.T) {
			s := startSensor(t, p.uri, change)
			fn(t, s, p.event(t, "registered", patience))
			s.stop()
			p.event(t, "deregistered", patience)
		})
	}
	run("LwM2M 1.0", func(c *lwm2m.Config) { c.MaxVersion = registry.V(1, 0) }, func(t *testing.T, s *sensor, reg message) {
		// Leshan refuses versions in quotes, which Core 1.0.2 prints.
		if reg.Version != "1.0" || !strings.Contains(reg.Links, "ver=1.2") {
			t.Errorf("registered: %+v", reg)
		}
		for _, f := range []string{"TLV", "JSON"} {
			manage(t, p, s, f)
		}
		expect(t, p, "204", command{"op": "write", "path": "/3303/0/5750", "format": "TEXT", "value": "text"})
		expect(t, p, "205", command{"op": "discover", "path": "/3"})
	})
	for version, formats := range map[registry.Version][]string{
		registry.V(1, 0): {"TLV", "JSON"},
		registry.V(1, 1): {"TLV", "JSON", "SENML_JSON", "SENML_CBOR"},
	} {
		run("alternate path with LwM2M "+version.String(), func(c *lwm2m.Config) {
			c.AlternatePath, c.MaxVersion = "/lwm2m", version
		}, func(t *testing.T, s *sensor, reg message) {
			if reg.Version != version.String() || !strings.Contains(reg.Links, "</lwm2m/3/0>") {
				t.Errorf("registered: %+v", reg)
			}
			for _, f := range formats {
				manage(t, p, s, f)
			}
			for _, f := range formats[min(2, len(formats)):] {
				expect(t, p, "204", command{"op": "writecomposite", "format": f, "value": command{"/3303/0/5750": f, "/3/0/15": "Europe/Rome"}})
				m := expect(t, p, "205", command{"op": "readcomposite", "format": f, "paths": []string{"/3303/0/5750", "/3/0/0"}})
				if m.Values["/3303/0/5750"] != f || m.Values["/3/0/0"] != "Example" {
					t.Errorf("%s: %v", f, m.Values)
				}
			}
		})
	}
	run("Time in CBOR", func(c *lwm2m.Config) { c.MaxVersion = registry.V(1, 1) }, func(t *testing.T, _ *sensor, _ message) {
		for _, f := range []string{"CBOR", "SENML_CBOR", "SENML_JSON", "TLV", "TEXT"} {
			const at = 1900000000
			expect(t, p, "204", command{"op": "write", "path": "/3/0/13", "format": f, "value": at})
			m := expect(t, p, "205", command{"op": "read", "path": "/3/0/13", "format": f})
			if got, err := strconv.ParseInt(m.Values[""], 10, 64); err != nil || got < at || got > at+60 {
				t.Errorf("%s: %v, want %d", f, m.Values, at)
			}
		}
	})
	run("one announced format and the transports", func(c *lwm2m.Config) { c.Formats = []content.Format{content.SenMLCBOR} }, func(t *testing.T, s *sensor, reg message) {
		if reg.Version != "1.1" || !strings.Contains(reg.Links, "ct=[SENML_CBOR(112)]") {
			t.Errorf("registered: %+v", reg)
		}
		m := expect(t, p, "205", command{"op": "read", "path": "/3/0/16"})
		if m.Values[""] != "UT" || s.Bindings() != "UT" {
			t.Errorf("/3/0/16 is %v, Bindings %q", m.Values, s.Bindings())
		}
	})
}

// TestServerRestart restarts the server in the middle of an observation. The new one knows neither
// the registration nor the observation: the device registers again when its Update gets 4.04, and
// can be managed as before.
func TestServerRestart(t *testing.T) {
	p := startPeer(t, "../../objects-xml")
	s := startSensor(t, p.uri, func(*lwm2m.Config) {})
	p.event(t, "registered", patience)
	expect(t, p, "205", command{"op": "observe", "path": "/3303/0/5750"})
	s.setLabel(t, "before")
	notified(t, p, "before")
	at, err := url.Parse(p.uri)
	if err != nil {
		t.Fatal(err)
	}
	p.Stop()
	s.setLabel(t, "in between")

	again := startPeerAt(t, at.Port(), "../../objects-xml")
	if again.uri != p.uri {
		t.Fatalf("the server is at %s, want %s", again.uri, p.uri)
	}
	if err := s.Update(1); err != nil {
		t.Fatal(err)
	}
	if reg := again.event(t, "registered", 2*time.Minute); reg.Endpoint != endpoint || reg.Version != "1.1" {
		t.Errorf("registered: %+v", reg)
	}
	m := expect(t, again, "205", command{"op": "read", "path": "/3303/0/5750"})
	if m.Values[""] != "in between" {
		t.Errorf("read %v", m.Values)
	}
	expect(t, again, "205", command{"op": "observe", "path": "/3303/0/5750"})
	s.setLabel(t, "after")
	notified(t, again, "after")
	s.stop()
	again.event(t, "deregistered", patience)
}
