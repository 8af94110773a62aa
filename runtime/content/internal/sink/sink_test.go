package sink_test

import (
	"errors"
	"math"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/formattest"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/sink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestPath(t *testing.T) {
	create := content.Request{Base: formattest.Path("/3303"), Create: true, NewInstance: 7}
	behind := content.Request{Prefix: "dev0"}
	instance := content.Request{Base: formattest.Path("/3/0")}
	for _, v := range []struct {
		name string
		req  content.Request
		in   string
		want string // "" is a refusal
	}{
		{"resource", content.Request{}, "/3/0/9", "/3/0/9"},
		{"resource instance", content.Request{}, "/65534/0/65534/1", "/65534/0/65534/1"},
		{"root", content.Request{}, "/", "/"},
		{"relative", instance, "6/0", "/3/0/6/0"},
		{"nothing", instance, "", "/3/0"},
		{"behind a gateway", behind, "/dev0/3/0/9", "/3/0/9"},
		{"root behind a gateway", behind, "/dev0", "/"},
		{"new instance", create, "/3303//5700", "/3303/7/5700"},
		{"new instance, with a resource instance", create, "/3303//5700/1", "/3303/7/5700/1"},
		{"new instance, relative", create, "5700", "/3303/7/5700"},
		{"named instance, relative", create, "2/5700", "/3303/2/5700"},
		{"named instance", create, "/3303/2/5700", "/3303/2/5700"},
		{"empty ID", content.Request{}, "/3303//5700", ""},
		{"empty object ID", create, "//5700", ""},
		{"two empty IDs", create, "/3303///1", ""},
		{"empty instance ID at a resource instance", create, "/3303/0//1", ""},
		{"slash at the end", content.Request{}, "/3/0/", ""},
		{"leading zero", content.Request{}, "/3/00", ""},
		{"reserved ID", content.Request{}, "/65535", ""},
		{"ID above 16 bits", content.Request{}, "/65536", ""},
		{"ID above 32 bits", content.Request{}, "/4294967299", ""},
		{"five IDs", content.Request{}, "/1/2/3/4/5", ""},
		{"sign", content.Request{}, "/+1", ""},
		{"blank", content.Request{}, "/1 ", ""},
		{"letter", content.Request{}, "/a", ""},
		{"prefix missing", behind, "/3/0/9", ""},
		{"prefix of another device", behind, "/dev1/3/0/9", ""},
		{"prefix of a longer name", behind, "/dev00/3", ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			var s sink.Sink
			s.Begin(v.req, nil)
			p, err := s.Path([]byte(v.in))
			switch {
			case v.want == "" && !errors.Is(err, dm.BadRequest):
				t.Errorf("%q: %v, %v; want 4.00", v.in, p, err)
			case v.want != "" && (err != nil || p.String() != v.want):
				t.Errorf("%q: %v, %v; want %s", v.in, p, err, v.want)
			}
		})
	}
}

func TestRepeatedPath(t *testing.T) {
	one := scalar.FromInt(1)
	deliver := func(s *sink.Sink, places ...string) error {
		s.Begin(content.Request{Schema: formattest.Schema}, func(dm.Entry) error { return nil })
		for _, p := range places {
			path, at, _ := strings.Cut(p, "@")
			if err := s.Scalar(formattest.Path(path), &one, float64(len(at))); err != nil {
				return err
			}
		}
		return s.Finish()
	}
	var s sink.Sink
	for _, v := range []struct {
		places []string
		ok     bool
	}{
		{[]string{"/1/0/0", "/1/0/1", "/1/0/2"}, true},
		{[]string{"/1/0/2", "/1/0/1", "/1/0/0"}, true},
		{[]string{"/1/0/0", "/1/0/0"}, false},
		{[]string{"/1/0/0", "/1/0/1", "/1/0/0"}, false},
		{[]string{"/1/0/0", "/1/0/0@x"}, true},
		{[]string{"/1/0/0@x", "/1/0/1@x", "/1/0/0@x"}, false},
	} {
		if err := deliver(&s, v.places...); (err == nil) != v.ok {
			t.Errorf("%v: %v", v.places, err)
		}
	}
}

func TestEntries(t *testing.T) {
	stop := errors.New("stop")
	one := scalar.FromInt(1)
	for _, v := range []struct {
		name, path string
		yield      error
		want       error
	}{
		{"below the base", "/1/0/1", nil, nil},
		{"outside of the base", "/1/1/1", nil, dm.BadRequest},
		{"above the base", "/1", nil, dm.BadRequest},
		{"no resource", "/1/0", nil, dm.BadRequest},
		{"wrong type", "/1/0/7", nil, dm.BadRequest},
		{"the caller's own error", "/1/0/1", stop, stop},
	} {
		t.Run(v.name, func(t *testing.T) {
			var s sink.Sink
			s.Begin(content.Request{Base: formattest.Path("/1/0"), Schema: formattest.Schema}, func(dm.Entry) error { return v.yield })
			err := s.Scalar(formattest.Path(v.path), &one, 0)
			if !errors.Is(err, v.want) {
				t.Errorf("%v, want %v", err, v.want)
			}
			var e *dm.Error
			if errors.As(err, &e) && e.Path != formattest.Path(v.path) {
				t.Errorf("the error names %v", e.Path)
			}
		})
	}
}

func TestTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		now := float64(time.Now().Unix())
		for _, v := range []struct {
			name string
			req  content.Request
			in   float64
			want float64 // negative is a refusal
		}{
			{"not said", content.Request{}, 0, 0},
			{"absolute", content.Request{}, 1 << 28, 1 << 28},
			{"a while ago", content.Request{}, -5, now - 5},
			{"ahead", content.Request{}, 5.5, now + 5.5},
			{"relative to what the caller says", content.Request{Now: time.Unix(1e9, 0)}, -5, 1e9 - 5},
			{"before 1978", content.Request{Now: time.Unix(1e9, 0)}, -1e9, -1},
			{"infinite", content.Request{}, math.Inf(1), -1},
			{"infinitely long ago", content.Request{}, math.Inf(-1), -1},
		} {
			var s sink.Sink
			s.Begin(v.req, nil)
			got, err := s.Time(dm.Path{}, v.in)
			if (err != nil) != (v.want < 0) || err == nil && got != v.want {
				t.Errorf("%s: %v, %v; want %v", v.name, got, err, v.want)
			}
		}
	})
}
