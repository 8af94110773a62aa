package manage

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

func TestConfigIsChecked(t *testing.T) {
	model, err := dm.NewModel(dm.ModelConfig{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New(Config{}); err == nil || !strings.Contains(err.Error(), "Config.Sched") {
		t.Errorf("without a scheduler: %v", err)
	}
	for _, l := range []Limits{{Observations: -1}, {ObservedValues: -1}, {Attributes: -1}, {Pending: -1}, {Patience: -1}} {
		if _, err := New(Config{Sched: sched.New(), Limits: l}); err == nil ||
			!strings.Contains(err.Error(), "Config.Limits") {
			t.Errorf("%+v: %v", l, err)
		}
	}
	m, err := New(Config{Sched: sched.New()})
	if err != nil {
		t.Fatal(err)
	}
	if want := (Limits{Observations: 1000, ObservedValues: 100_000, Attributes: 1000, Pending: 64, Patience: 30 * time.Second, StoredValues: 10_000}); m.cfg.Limits != want {
		t.Errorf("without limits they are %+v", m.cfg.Limits)
	}
	if _, err := m.AddDevice(DeviceConfig{Model: model, Prefix: "dev0"}); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]DeviceConfig{
		"Model is missing":       {},
		`Prefix is "/dev1"`:      {Model: model, Prefix: "/dev1"},
		`Prefix is "a b"`:        {Model: model, Prefix: "a b"},
		`Prefix is "77"`:         {Model: model, Prefix: "77"},
		"has 129 characters":     {Model: model, Prefix: strings.Repeat("a", 129)},
		`with the prefix "dev0"`: {Model: model, Prefix: "dev0"},
	} {
		if _, err := m.AddDevice(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	if _, err := m.AddPeer(PeerConfig{ShortServerID: 7}); err != nil {
		t.Fatal(err)
	}
	for want, c := range map[string]PeerConfig{
		"ShortServerID is 0":     {},
		"ShortServerID is 65535": {ShortServerID: 65535},
		"already a server 7":     {ShortServerID: 7},
		`Root is "lwm2m"`:        {ShortServerID: 8, Root: "lwm2m"},
		`Root is "/"`:            {ShortServerID: 8, Root: "/"},
		`Root is "/lwm2m/"`:      {ShortServerID: 8, Root: "/lwm2m/"},
		"Format":                 {ShortServerID: 8, Format: content.Opaque},
	} {
		if _, err := m.AddPeer(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", want, err)
		}
	}
	m.Close()
	m.Close()
	if _, err := m.AddPeer(PeerConfig{ShortServerID: 9}); err == nil {
		t.Error("a closed manager accepts servers")
	}
	if _, err := m.AddDevice(DeviceConfig{Model: model}); err == nil {
		t.Error("a closed manager accepts devices")
	}
}

// Defaults of the Server object are signed in older definitions.
func TestWholeNumbers(t *testing.T) {
	for v, want := range map[dm.Value]int64{
		dm.IntegerValue(-3): -3, dm.IntegerValue(7): 7, dm.UnsignedValue(7): 7, dm.UnsignedValue(1 << 63): 1 << 62,
		dm.UnsignedValue(0): 0,
	} {
		if got := wholeNumber(v); got != want {
			t.Errorf("%v is %d, want %d", v, got, want)
		}
	}
}

// A server is removed and another added with its ID: attributes and observations are gone.
func TestServersComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, device12, "/3303/1/5750", "PUT /3303?pmax=10")
		s.p.peer.Close()
		s.p.peer.Close()
		s.expect(time.Minute)
		if got := s.p.do(to("GET /3/0/0")); got.code != coap.ServiceUnavailable {
			t.Errorf("a removed server is served: %v", got.code)
		}
		s.addServer(1, device12)
		next := s.peers[1]
		if got := next.do(to("GET /3303?depth=0").accepting(content.Link)); strings.Contains(got.body, "pmax") {
			t.Errorf("attributes of the removed server: %s", got.body)
		}
		if n := s.m.watched.Load(); n != 0 {
			t.Errorf("%d nodes are watched", n)
		}
	})
}
