package manage

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestWrite(t *testing.T) {
	runRows(t, device12, []row{
		{"text", to("PUT /1/0/1").as(content.Text, "1010"), coap.Changed, "", 0},
		{"no format is text", to("PUT /1/0/1").as(content.None, "1010"), coap.Changed, "", 0},
		{"TLV", to("PUT /1/0/1").as(content.TLV, "\xc2\x01\x03\xf2"), coap.Changed, "", 0},
		{"CBOR", to("PUT /1/0/1").as(content.CBOR, "\x19\x03\xf2"), coap.Changed, "", 0},
		{"SenML JSON", to("PUT /1/0/1").as(content.SenMLJSON, `[{"n":"/1/0/1","v":1010}]`), coap.Changed, "", 0},
		{"empty text", to("PUT /3303/0/5750").as(content.Text, ""), coap.Changed, "", 0},
		{"resource instance that is not there", to("PUT /3/0/7/9").as(content.Text, "1"), coap.MethodNotAllowed, "", 0},
		{"read-only", to("PUT /1/0/0").as(content.Text, "123"), coap.MethodNotAllowed, "/1/0/0", 0},
		{"read-only and broken", to("PUT /1/0/0").as(content.Text, "many"), coap.MethodNotAllowed, "/1/0/0", 0},
		{"broken number", to("PUT /1/0/1").as(content.Text, "hunter2"), coap.BadRequest, "/1/0/1", 0},
		{"out of range", to("PUT /1/0/26").as(content.Text, "7"), coap.BadRequest, "/1/0/26", 0},
		{"unknown format", to("PUT /1/0/1").as(4711, "1"), coap.UnsupportedContentFormat, "", 0},
		{"links as format", to("PUT /1/0/1").as(content.Link, "</>"), coap.UnsupportedContentFormat, "", 0},
		{"text to an instance", to("PUT /1/0").as(content.Text, "1"), coap.UnsupportedContentFormat, "", 0},
		{"instance without format", to("PUT /1/0").as(content.None, "1"), coap.UnsupportedContentFormat, "", 0},
		{"no resource", to("PUT /1/0/77").as(content.Text, "1"), coap.NotFound, "/1/0/77", 0},
		{"no instance", to("PUT /1/5/1").as(content.Text, "1"), coap.NotFound, "/1/5/1", 0},
		{"no object", to("PUT /77/0/1").as(content.Text, "1"), coap.NotFound, "/77/0/1", 0},
		{"object", to("PUT /1").as(content.TLV, ""), coap.MethodNotAllowed, "", 0},
		{"root", to("PUT /").as(content.TLV, ""), coap.MethodNotAllowed, "", 0},
		{"POST to a resource instance", to("POST /3/0/7/0").as(content.Text, "1"), coap.MethodNotAllowed, "", 0},
		{"PATCH", to("PATCH /1/0/1").as(content.SenMLCBOR, ""), coap.MethodNotAllowed, "", 0},
		{"Security", to("PUT /0/0/0").as(content.Text, "coap://evil"), coap.Unauthorized, "", 0},
		{"nothing at all", to("PUT /1/0/1"), coap.BadRequest, "", 0},
		{"with a query, which means nothing", to("PUT /1/0/1?x=1").as(content.Text, "hunter2"), coap.BadRequest,
			"/1/0/1", 0},
		{"with attributes and without a format", to("PUT /1/0/1?pmin=1").as(content.None, "86400"), coap.BadRequest,
			"", 0},
		{"empty with a query", to("PUT /3303/0/5750?x=1").as(content.Text, ""), coap.Changed, "", 0},
		{"If-None-Match of what is not there", to("PUT /1/0/99").as(content.Text, "1").with(func(o *coap.Options) {
			o.Add(coap.OptionIfNoneMatch, nil)
		}), coap.NotFound, "/1/0/99", 0},
		{"If-None-Match of what is there", to("PUT /1/0/1").as(content.Text, "1").with(func(o *coap.Options) {
			o.Add(coap.OptionIfNoneMatch, nil)
		}), coap.PreconditionFailed, "", 0},
		{"If-Match of what is there", to("PUT /1/0/1").as(content.Text, "1").with(func(o *coap.Options) {
			o.Add(coap.OptionIfMatch, nil)
		}), coap.Changed, "", 0},
		{"If-Match of what is not there", to("PUT /1/0/99").as(content.Text, "1").with(func(o *coap.Options) {
			o.Add(coap.OptionIfMatch, nil)
		}), coap.PreconditionFailed, "", 0},
		{"If-Match of a tag", to("PUT /1/0/1").as(content.Text, "1").with(func(o *coap.Options) {
			o.Add(coap.OptionIfMatch, []byte{1})
		}), coap.PreconditionFailed, "", 0},
		{"replace without a mandatory resource", to("PUT /1/0").as(content.SenMLJSON,
			`[{"bn":"/1/0/","n":"1","v":60}]`),
			coap.BadRequest, "/1/0", 0},
	})
}

func TestWriteReplaceAndUpdate(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		p := r.peers[0]
		// The payloads of 1.1-int-215.
		if got := p.do(to("POST /1/0").as(content.TLV, "\xc1\x02\x65\xc2\x03\x03\xf2\xc2\x05\x07\xd0\xc1\x06\x01\xc1\x07\x55")); got.code != coap.Changed {
			t.Fatalf("partial update %v %q", got.code, got.body)
		}
		want := `[{"bn":"/1/0/","n":"0","v":1},{"n":"1","v":86400},{"n":"2","v":101},{"n":"3","v":1010},{"n":"5","v":2000},{"n":"6","vb":true},{"n":"7","vs":"U"}]`
		if got := p.senml("/1/0"); got != want {
			t.Errorf("after an update\n%s, want\n%s", got, want)
		}
		if got := p.do(to("PUT /1/0").as(content.SenMLJSON, `[{"bn":"/1/0/","n":"1","v":60},{"n":"6","vb":false},{"n":"7","vs":"U"}]`)); got.code != coap.Changed {
			t.Fatalf("replace %v %q", got.code, got.body)
		}
		want = `[{"bn":"/1/0/","n":"0","v":1},{"n":"1","v":60},{"n":"6","vb":false},{"n":"7","vs":"U"}]`
		if got := p.senml("/1/0"); got != want {
			t.Errorf("after a replace\n%s, want\n%s", got, want)
		}
		// Resources with resource instances.
		p.do(to("POST /16"))
		for _, step := range []struct {
			ask  ask
			code coap.Code
			want string
		}{
			{to("PUT /16/0/0").as(content.SenMLJSON, `[{"bn":"/16/0/0/","n":"0","vs":"a"},{"n":"1","vs":"b"}]`),
				coap.Changed, "a b - -"},
			{to("PUT /16/0/0/1").as(content.Text, "c"), coap.Changed, "a c - -"},
			{to("PUT /16/0/0/2").as(content.Text, "c"), coap.NotFound, "a c - -"},
			{to("POST /16/0/0").as(content.SenMLJSON, `[{"n":"/16/0/0/2","vs":"d"}]`), coap.Changed, "a c d -"},
			{to("DELETE /16/0/0/1"), coap.Deleted, "a - d -"},
			{to("DELETE /16/0/0/1"), coap.NotFound, "a - d -"},
			{to("DELETE /16/0/0"), coap.MethodNotAllowed, "a - d -"},
			{to("PUT /16/0/0").as(content.TLV, "\x83\x00\x41\x03\x65"), coap.Changed, "- - - e"},
		} {
			if got := p.do(step.ask); got.code != step.code {
				t.Errorf("%v %s: %v %q, want %v", step.ask.method, step.ask.target, got.code, got.body, step.code)
			}
			var all []string
			for i := range 4 {
				v := p.text("/16/0/0/" + string(rune('0'+i)))
				if v == "4.04" {
					v = "-"
				}
				all = append(all, v)
			}
			if got := strings.Join(all, " "); got != step.want {
				t.Errorf("%v %s: now %q, want %q", step.ask.method, step.ask.target, got, step.want)
			}
		}
	})
}

func TestCreateAndDelete(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		p := r.peers[0]
		steps := []struct {
			name     string
			ask      ask
			code     coap.Code
			location string
		}{
			{"without payload", to("POST /16"), coap.Created, "/16/0"},
			{"without an ID", to("POST /16").as(content.TLV, "\x86\x00\x41\x00\x61\x41\x01\x62"), coap.Created,
				"/16/1"},
			{"with an ID", to("POST /16").as(content.TLV, "\x08\x07\x08\x86\x00\x41\x00\x61\x41\x01\x62"),
				coap.Created, "/16/7"},
			{"with the same ID", to("POST /16").as(content.TLV, "\x08\x07\x08\x86\x00\x41\x00\x61\x41\x01\x62"),
				coap.BadRequest, ""},
			{"several", to("POST /16").as(content.SenMLJSON, `[{"n":"/16/8/0/0","vs":"x"},{"n":"/16/9/0/0","vs":"y"}]`), coap.Created, ""},
			{"in SenML without an ID", to("POST /16").as(content.SenMLJSON, `[{"n":"0/0","vs":"x"}]`),
				coap.BadRequest, ""},
			{"lowest free ID", to("POST /16"), coap.Created, "/16/2"},
			{"with a value missing", to("POST /3303").as(content.SenMLJSON, `[{"n":"/3303/5/5750","vs":"x"}]`),
				coap.Created, "/3303/5"},
			{"wrong value", to("POST /3303").as(content.SenMLJSON, `[{"n":"/3303/6/5750","v":1}]`), coap.BadRequest,
				""},
			{"object of one instance", to("POST /3"), coap.MethodNotAllowed, ""},
			{"object of one instance, broken", to("POST /3").as(content.TLV, "\xff"), coap.MethodNotAllowed, ""},
			{"no template", to("POST /1").as(content.TLV, ""), coap.MethodNotAllowed, ""},
			{"no object", to("POST /77"), coap.NotFound, ""},
			{"Security", to("POST /0"), coap.Unauthorized, ""},
			{"root", to("POST /"), coap.MethodNotAllowed, ""},
			{"unknown format", to("POST /16").as(4711, "x"), coap.UnsupportedContentFormat, ""},
			{"text", to("POST /16").as(content.Text, "x"), coap.UnsupportedContentFormat, ""},
			{"a payload without format", to("POST /16").as(content.None, "x"), coap.UnsupportedContentFormat, ""},
			{"Delete", to("DELETE /16/7"), coap.Deleted, ""},
			{"with an ID and nothing else", to("POST /16").as(content.TLV, "\x00\x07"), coap.Created, "/16/7"},
			{"Delete that, too", to("DELETE /16/7"), coap.Deleted, ""},
			{"Delete again", to("DELETE /16/7"), coap.NotFound, ""},
			{"Delete of the only instance", to("DELETE /3/0"), coap.MethodNotAllowed, ""},
			{"Delete of an object", to("DELETE /16"), coap.MethodNotAllowed, ""},
			{"Delete of a resource", to("DELETE /16/0/0"), coap.MethodNotAllowed, ""},
			{"Delete of the root", to("DELETE /"), coap.MethodNotAllowed, ""},
			{"Delete of Security", to("DELETE /0/0"), coap.Unauthorized, ""},
			{"Delete of a read-only resource instance", to("DELETE /3/0/7/1"), coap.MethodNotAllowed, ""},
		}
		for _, s := range steps {
			got := p.do(s.ask)
			if got.code != s.code {
				t.Errorf("%s: %v %q, want %v", s.name, got.code, got.body, s.code)
			}
			if at := string(got.options.AppendLocationPath(nil)); at != s.location && !(s.location == "" && at == "/") {
				t.Errorf("%s: Location-Path %s, want %q", s.name, at, s.location)
			}
		}
		if got := p.do(to("GET /16?depth=1").accepting(content.Link)); got.body != "</16>;ver=1.1,</16/0>,</16/1>,</16/2>,</16/8>,</16/9>" &&
			got.body != "</16>,</16/0>,</16/1>,</16/2>,</16/8>,</16/9>" {
			t.Errorf("left are %s", got.body)
		}
	})
}

func TestErrorsOfHooks(t *testing.T) {
	for _, c := range []struct {
		name string
		err  error
		code coap.Code
	}{
		{"a code of theirs", dm.Errorf(dm.Conflict, "hunter2"), coap.Conflict},
		{"an error without a code", errors.New("hunter2"), coap.InternalServerError},
		{"a code that is none", &dm.Error{Code: 69, Err: errors.New("hunter2")}, coap.InternalServerError},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := device12
				o.world = func(w *world) {
					w.things2 = temperature.Hooks{Validate: func(_ context.Context, tx *temperature.Tx) error {
						if tx.Origin() == dm.Server(1) {
							return c.err
						}
						return nil
					}}
				}
				r := newRig(t, o)
				got := r.peers[0].do(to("PUT /3303/1/5750").as(content.Text, "x"))
				if got.code != c.code || strings.Contains(got.body, "hunter2") {
					t.Errorf("answered %v %q, want %v", got.code, got.body, c.code)
				}
				if now := r.peers[0].text("/3303/1/5750"); now != "fridge" {
					t.Errorf("now %q", now)
				}
			})
		})
	}
}
