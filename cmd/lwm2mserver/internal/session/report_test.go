package session

import (
	"bytes"
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestWriteText(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.UTC)
	one := []Value{{Path: "/1/0/1", Name: "Lifetime", text: "60", Units: "s"}}
	for _, c := range []struct {
		r    Report
		want string
	}{
		{Report{Kind: "answer", Code: "2.04"}, "2.04 Changed"},
		{Report{Kind: "answer", Code: "2.01", Location: "/3/1"}, "2.01 Created /3/1"},
		{Report{Kind: "answer", Code: "4.99", Text: "why"}, "4.99: why"},
		{Report{Kind: "answer", Code: "2.05", Observation: 2, Values: one}, "2.05 Content, observation 2\n  /1/0/1  Lifetime  60 s"},
		{Report{Kind: "notification", Device: "d", Observation: 2, Code: "2.05", Values: one},
			"03:04:05.678 d, observation 2: /1/0/1 Lifetime = 60 s"},
		{Report{Kind: "notification", Device: "d", Observation: 2, Code: "4.04"}, "03:04:05.678 d, observation 2: 4.04 Not Found"},
		{Report{Kind: "notification", Device: "d", Observation: 2, Code: "2.05", Values: append(one, one...)},
			"03:04:05.678 d, observation 2\n  /1/0/1  Lifetime  60 s\n  /1/0/1  Lifetime  60 s"},
		{Report{Kind: "sent", Device: "d", Values: one}, "03:04:05.678 d sent\n  /1/0/1  Lifetime  60 s"},
		{Report{Kind: "event", Device: "d", Event: "expired"}, "03:04:05.678 d expired"},
		{Report{Kind: "error", Error: "no"}, "no"},
		{Report{Kind: "text", Text: "a\nb"}, "a\nb"},
		{Report{Kind: "device", Device: "d", Links: []Link{{Path: "/3", Name: "Device"}}}, "d\n  /3  Device"},
		{Report{Kind: "event", Device: "d\x1b[2J\n9 x", Event: "registered"}, "03:04:05.678 d\uFFFD[2J\uFFFD9 x registered"},
		{Report{Kind: "answer", Code: "2.05", Values: []Value{{Path: "/3/0/0", text: "a\tb\nc\u202e"}}},
			"2.05 Content\n  /3/0/0    a\uFFFDb\uFFFDc\uFFFD"},
	} {
		c.r.Time = at
		var b bytes.Buffer
		if err := WriteText(&b, c.r); err != nil || b.String() != c.want+"\n" {
			t.Errorf("%+v is\n%s%v, want\n%s", c.r, &b, err, c.want)
		}
	}
}

// Every value has a form in JSON.
func TestJSONValue(t *testing.T) {
	for want, v := range map[string]dm.Value{
		"-5":                     dm.IntegerValue(-5),
		"5":                      dm.UnsignedValue(5),
		"0.5":                    dm.FloatValue(0.5),
		`"NaN"`:                  dm.FloatValue(math.NaN()),
		"true":                   dm.BooleanValue(true),
		`"a"`:                    dm.StringValue("a"),
		`"AQ=="`:                 dm.OpaqueValue([]byte{1}),
		`"3:0"`:                  dm.LinkValue(dm.ObjectLink{Object: 3}),
		`"2023-11-14T22:13:20Z"`: dm.TimeValue(1700000000),
		`"[redacted]"`:           dm.StringValue("key").Hidden(),
	} {
		b, err := json.Marshal(Value{Value: jsonValue(v)})
		if err != nil || !strings.Contains(string(b), `"value":`+want) {
			t.Errorf("%v is %s, %v, want %s", v, b, err, want)
		}
	}
}
