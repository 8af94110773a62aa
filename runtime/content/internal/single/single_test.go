package single_test

import (
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/single"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

var battery = dm.Entry{Path: dm.ResourcePath(3, 0, 9), Value: dm.IntegerValue(100)}

func TestOneValue(t *testing.T) {
	var e single.Encoder
	for range 2 { // an Encoder is reused
		if err := e.Begin([]byte("head"), content.Target{Base: battery.Path}); err != nil {
			t.Fatal(err)
		}
		if err := e.Check(&battery); err != nil {
			t.Fatal(err)
		}
		e.Buf = append(e.Buf, "100"...)
		if b, err := e.Finish(); err != nil || string(b) != "head100" {
			t.Errorf("%q, %v", b, err)
		}
	}
}

func TestRefused(t *testing.T) {
	timed, empty, instance := battery, battery, battery
	timed.Time = 1e9
	empty.Value = dm.Value{}
	instance.Path = dm.ResourceInstancePath(3, 0, 9, 0)
	outside := dm.Entry{Path: dm.ResourcePath(3, 0, 10), Value: dm.IntegerValue(1)}
	for _, v := range []struct {
		name    string
		entries []dm.Entry
		code    dm.Code
	}{
		{"a time", []dm.Entry{timed}, dm.NotAcceptable},
		{"no value", []dm.Entry{empty}, dm.NotAcceptable},
		{"a resource instance", []dm.Entry{instance}, dm.NotAcceptable},
		{"another resource", []dm.Entry{outside}, dm.InternalServerError},
		{"two values", []dm.Entry{battery, battery}, dm.InternalServerError},
		{"no entries", nil, dm.NotAcceptable},
	} {
		var e single.Encoder
		if err := e.Begin(nil, content.Target{Base: battery.Path}); err != nil {
			t.Fatal(err)
		}
		var err error
		for i := range v.entries {
			if err == nil {
				err = e.Check(&v.entries[i])
			}
		}
		if err == nil {
			_, err = e.Finish()
		}
		if dm.CodeOf(err) != v.code {
			t.Errorf("%s: %v, want %v", v.name, err, v.code)
		}
	}
}

// TestLevels covers which nodes have a single value: resources and resource instances.
func TestLevels(t *testing.T) {
	for _, p := range []dm.Path{
		{}, dm.ObjectPath(3), dm.InstancePath(3, 0), dm.ResourcePath(3, 0, 9), dm.ResourceInstancePath(3, 0, 6, 1),
	} {
		var e single.Encoder
		encode, decode := e.Begin(nil, content.Target{Base: p}), single.CheckRequest(&content.Request{Base: p})
		if p.Level() >= dm.ResourceLevel {
			if encode != nil || decode != nil {
				t.Errorf("%v: %v, %v", p, encode, decode)
			}
			continue
		}
		if dm.CodeOf(encode) != dm.NotAcceptable || dm.CodeOf(decode) != dm.UnsupportedContentFormat {
			t.Errorf("%v: %v, %v; want 4.06 and 4.15", p, encode, decode)
		}
	}
}
