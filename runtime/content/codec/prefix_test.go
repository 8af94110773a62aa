package codec_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// An answer of several devices names the device of each value, in the formats that have names.
func TestEncodeSeveralDevices(t *testing.T) {
	for f, want := range map[content.Format]string{
		content.SenMLJSON: `[{"bn":"/3/0/","n":"9","v":1},{"bn":"/dev0/3/0/","n":"9","v":2},{"n":"10","v":3},{"bn":"/dev1/3/0/","n":"9","v":4}]`,
		content.SenMLCBOR: "\x84\xa3\x21\x65/3/0/\x00\x619\x02\x01" + "\xa3\x21\x6a/dev0/3/0/\x00\x619\x02\x02" +
			"\xa2\x00\x6210\x02\x03" + "\xa3\x21\x6a/dev1/3/0/\x00\x619\x02\x04",
	} {
		var e codec.Encoder
		if err := e.Begin(f, nil, content.Target{}); err != nil {
			t.Fatal(err)
		}
		for _, step := range []struct {
			prefix string
			path   dm.Path
			v      int64
		}{
			{"", dm.ResourcePath(3, 0, 9), 1}, {"dev0", dm.ResourcePath(3, 0, 9), 2}, {"dev0", dm.ResourcePath(3, 0, 10), 3},
			{"dev1", dm.ResourcePath(3, 0, 9), 4},
		} {
			if err := e.SetPrefix(step.prefix); err != nil {
				t.Fatal(err)
			}
			if err := e.Value(step.path, dm.IntegerValue(step.v)); err != nil {
				t.Fatal(err)
			}
		}
		got, err := e.Finish()
		if err != nil || string(got) != want {
			t.Errorf("%v: %q (%v), want %q", f, got, err, want)
		}
	}
	for _, f := range []content.Format{content.LwM2MCBOR, content.TLV} {
		var e codec.Encoder
		if err := e.Begin(f, nil, content.Target{Base: dm.ObjectPath(3)}); err != nil {
			t.Fatal(err)
		}
		if err := e.SetPrefix("dev0"); !errors.Is(err, dm.NotAcceptable) {
			t.Errorf("%v: %v", f, err)
		}
	}
}

// A payload that may name several devices is told apart by the first segment of each name.
func TestDecodeSeveralDevices(t *testing.T) {
	noDevice := errors.New("no device has this prefix")
	for payload, want := range map[string]string{
		`[{"n":"/3/0/0"},{"n":"/dev0/3/0/1"},{"n":"/dev0"},{"n":"/"}]`: " /3/0/0, dev0 /3/0/1, dev0 /,  /",
		`[{"bn":"/dev0","n":"/3"}]`:                                    "dev0 /3",
		`[{"n":"/0x/3"}]`:                                              "0x /3",
		`[{"n":"/dev9/3"}]`:                                            noDevice.Error(),
		`[{"n":"/dev0//3"}]`:                                           "a name must be a path",
		`[{"n":"//3"}]`:                                                "a name must be a path",
		`[{"n":"/dev0/dev0/3"}]`:                                       "a name must be a path",
	} {
		var d codec.Decoder
		var device string
		var got []string
		r := content.Request{Select: func(prefix []byte) error {
			if device = string(prefix); device == "dev9" {
				return noDevice
			}
			return nil
		}}
		err := d.DecodePaths(content.SenMLJSON, []byte(payload), r, func(p dm.Path) error {
			got = append(got, fmt.Sprintf("%s %v", device, p))
			return nil
		})
		if err != nil {
			if !errors.Is(err, dm.BadRequest) || !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %v", payload, err)
			}
			continue
		}
		if got := strings.Join(got, ", "); got != want {
			t.Errorf("%s\nyields %q, want %q", payload, got, want)
		}
	}
}
