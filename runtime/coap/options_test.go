package coap

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

type pair struct {
	id    OptionID
	value string
}

func pairs(o *Options) []pair {
	var ps []pair
	for id, v := range o.All() {
		ps = append(ps, pair{id, string(v)})
	}
	return ps
}

// TestOptionsModel changes options at random and compares with a sorted list.
func TestOptionsModel(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	ids := []OptionID{0, 1, 11, 12, 13, 14, 24, 25, 26, 252, 258, 268, 269, 292, 300, 2049, 40000, 65535}
	lengths := []int{0, 1, 2, 12, 13, 14, 268, 269, 270, 400}
	for range 300 {
		var o Options
		var model []pair
		for range 60 {
			id := ids[rng.IntN(len(ids))]
			if rng.IntN(4) == 0 {
				o.Remove(id)
				model = slices.DeleteFunc(model, func(p pair) bool { return p.id == id })
			} else {
				v := strings.Repeat(fmt.Sprint(rng.IntN(10)), lengths[rng.IntN(len(lengths))])
				o.Add(id, []byte(v))
				model = append(model, pair{id, v})
				slices.SortStableFunc(model, func(a, b pair) int { return int(a.id) - int(b.id) })
			}
			if got := pairs(&o); !slices.Equal(got, model) {
				t.Fatalf("after a change of %d: got %v, want %v", id, got, model)
			}
			last := OptionID(0)
			if len(model) > 0 {
				last = model[len(model)-1].id
			}
			if o.last != last {
				t.Fatalf("last is %d, want %d", o.last, last)
			}
		}
		m := Message{Code: GET, Options: o}
		wire, err := m.AppendUDP(nil)
		if err != nil {
			t.Fatal(err)
		}
		var back Message
		if err := back.ParseUDP(wire); err != nil || !slices.Equal(pairs(&back.Options), model) {
			t.Fatalf("options changed on the wire: %v", err)
		}
	}
}

func TestOptionsAliasing(t *testing.T) {
	wire := readRequest()
	before := bytes.Clone(wire)
	var m Message
	if err := m.ParseUDP(wire); err != nil {
		t.Fatal(err)
	}
	c := m.Options.Clone()
	c.Remove(OptionURIPath)
	c.AddPath("/x")
	m.Options.AddQuery("depth=1") // needs more than the parsed bytes: a copy
	var d Options
	d.CopyFrom(&m.Options)
	d.SetUint(OptionObserve, 1)
	if !bytes.Equal(wire, before) {
		t.Error("changing copies changed the parsed message")
	}
	if got := string(d.AppendPath(nil)); got != "/3303/0/5700" {
		t.Errorf("path %q", got)
	}
}

func TestUint(t *testing.T) {
	for _, v := range []uint32{0, 1, 255, 256, 65535, 65536, 1<<24 - 1, 1 << 24, 1<<32 - 1} {
		var o Options
		o.AddUint(OptionSize1, v)
		got, ok := o.Uint(OptionSize1)
		if !ok || got != v {
			t.Errorf("got %d, %v; want %d", got, ok, v)
		}
	}
	o := options(OptionSize1, "\x00\x00\x01")
	if v, ok := o.Uint(OptionSize1); !ok || v != 1 {
		t.Errorf("leading zeros (RFC 7252 §3.2): %d, %v", v, ok)
	}
	o = options(OptionObserve, "1234", OptionSize2, "12345", OptionContentFormat, "123")
	for _, id := range []OptionID{OptionObserve, OptionSize2, OptionContentFormat, OptionBlock1} {
		if v, ok := o.Uint(id); ok {
			t.Errorf("%v with a wrong length or absent has the value %d", id, v)
		}
	}
}

func TestPaths(t *testing.T) {
	for _, c := range []struct{ in, out string }{
		{"/3303/0/5700", "/3303/0/5700"}, {"rd/x", "/rd/x"}, {"", "/"}, {"/", "/"}, {"/a/", "/a/"}, {"//a", "//a"},
	} {
		var o Options
		o.AddPath(c.in)
		o.AddLocationPath(c.in)
		if got := string(o.AppendPath([]byte("p"))); got != "p"+c.out {
			t.Errorf("%q became %q, want %q", c.in, got, "p"+c.out)
		}
		if got := string(o.AppendLocationPath(nil)); got != c.out {
			t.Errorf("location %q became %q, want %q", c.in, got, c.out)
		}
	}
}

func TestTypedOptions(t *testing.T) {
	var o Options
	if o.MaxAge() != 60 {
		t.Error("Max-Age is 60 if absent (RFC 7252 §5.10.5)")
	}
	o.SetContentFormat(11542)
	o.SetContentFormat(0)
	o.SetAccept(112)
	o.AddUint(OptionMaxAge, 7)
	o.SetBlock(OptionBlock2, Block{Num: maxBlockNum, More: true, SZX: 6})
	o.AddString(OptionETag, "tag")
	o.AddString(OptionEcho, "echo")
	o.AddUint(OptionObserve, 5)
	if f, ok := o.ContentFormat(); f != 0 || !ok {
		t.Error("Content-Format 0 is an empty value")
	}
	if f, _ := o.Accept(); f != 112 || o.MaxAge() != 7 {
		t.Error("Accept or Max-Age")
	}
	if b, ok := o.Block(OptionBlock2); !ok || b != (Block{maxBlockNum, true, 6}) || b.Offset() != maxBlockNum*1024 {
		t.Errorf("Block2 is %+v", b)
	}
	if v, _ := o.ETag(); string(v) != "tag" {
		t.Error("ETag")
	}
	if v, _ := o.Echo(); string(v) != "echo" {
		t.Error("Echo")
	}
	if v, _ := o.Observe(); v != 5 || !o.Has(OptionObserve) || o.Has(OptionSize1) {
		t.Error("Observe")
	}
	long := options(OptionETag, "123456789", OptionEcho, "")
	if _, ok := long.ETag(); ok {
		t.Error("an ETag of nine bytes counts (RFC 7252 §5.10.6)")
	}
	if _, ok := long.Echo(); ok {
		t.Error("an empty Echo counts (RFC 9175 §2.2.1)")
	}
	for b, size := range map[Block]int{{SZX: 0}: 16, {SZX: 6}: 1024, {SZX: 7}: 1024} {
		if b.Size() != size {
			t.Errorf("%+v has size %d, want %d", b, b.Size(), size)
		}
	}
}

func TestNoResponse(t *testing.T) {
	for value, suppressed := range map[string][]Code{
		"": {}, "\x02": {Content, Changed}, "\x08": {NotFound}, "\x10": {InternalServerError},
		"\x1a": {Content, Changed, NotFound, InternalServerError},
	} {
		o := options(OptionNoResponse, value)
		for _, c := range []Code{Content, Changed, NotFound, InternalServerError} {
			if got := o.suppresses(c); got != slices.Contains(suppressed, c) {
				t.Errorf("No-Response %x suppresses %v: %v", value, c, got)
			}
		}
	}
	var none Options
	if none.suppresses(Content) {
		t.Error("suppressed without the option")
	}
}

func TestUnrecognized(t *testing.T) {
	for _, c := range []struct {
		name string
		code Code
		o    Options
		bad  OptionID
	}{
		{"RFC7252/5.4.1/known", PUT, options(OptionURIHost, "h", OptionURIPort, "\x16\x33", OptionURIPath, "a", OptionURIPath, "b",
			OptionURIQuery, "q", OptionURIQuery, "r", OptionAccept, "", OptionBlock1, "\x0e", OptionBlock2, "", OptionIfMatch, "", OptionIfMatch, "x"), 0},
		{"RFC7252/5.4.1/elective", GET, options(OptionID(10), "x", OptionID(65000), "y"), 0},
		{"RFC7252/5.4.1/critical", GET, options(OptionURIPath, "a", OptionID(65001), "y"), 65001},
		{"RFC7252/5.4.1/oscore", GET, options(OptionOSCORE, ""), OptionOSCORE},
		{"RFC9177/4.1/qblock", GET, options(OptionQBlock2, ""), OptionQBlock2},
		{"RFC7252/5.4.3/length", GET, options(OptionAccept, "123"), OptionAccept},
		{"RFC7252/5.4.3/host", GET, options(OptionURIHost, ""), OptionURIHost},
		{"RFC7252/5.4.3/block", GET, options(OptionBlock2, "1234"), OptionBlock2},
		{"RFC7252/5.4.3/elective", GET, options(OptionObserve, "12345", OptionContentFormat, "12345"), 0},
		{"RFC7252/5.4.5/repeated", GET, options(OptionAccept, "", OptionAccept, ""), OptionAccept},
		{"RFC7252/5.4.5/electiveRepeated", GET, options(OptionContentFormat, "", OptionContentFormat, ""), 0},
		{"RFC7252/5.4/response", Content, options(OptionURIPath, "a"), OptionURIPath},
		{"RFC7252/5.4/responseBlock", Content, options(OptionBlock2, ""), 0},
		{"zero", GET, options(OptionID(0), ""), 0},
		{"named", GET, options(OptionID(65001), "y", OptionID(65001), "y"), 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			var also []OptionID
			if c.name == "named" {
				also = []OptionID{65001}
			}
			id, found := c.o.Unrecognized(c.code, also)
			if id != c.bad || found != (c.bad != 0) {
				t.Errorf("got %v, %v; want %v", id, found, c.bad)
			}
		})
	}
}

func TestOptionProperties(t *testing.T) {
	for _, id := range []OptionID{OptionIfMatch, OptionURIHost, OptionURIPath, OptionBlock1, OptionProxyURI} {
		if !id.Critical() {
			t.Errorf("%v is critical", id)
		}
	}
	if OptionETag.Critical() || !OptionSize1.noCacheKey() || OptionETag.noCacheKey() {
		t.Error("a property is wrong")
	}
	if OptionRequestTag.String() != "Request-Tag" || OptionID(999).String() != "option 999" {
		t.Error("a name is wrong")
	}
	for id := OptionID(0); id < 400; id++ {
		f, known := id.form()
		if id.Critical() && id < 64 {
			if f.request != (criticalInRequests>>id&1 != 0) || f.responses != (criticalInResponses>>id&1 != 0) ||
				f.repeat != (criticalRepeatable>>id&1 != 0) {
				t.Errorf("the sets of critical options disagree about %v", id)
			}
		} else if known && id.Critical() {
			t.Errorf("%v does not fit the sets of critical options", id)
		}
		if known && strings.HasPrefix(id.String(), "option ") {
			t.Errorf("option %d has a form and no name", id)
		}
	}
}

// TestUnrecognizedShortcut compares the check of common messages with the full one, which an option
// with a high number forces.
func TestUnrecognizedShortcut(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var o Options
		for range rng.IntN(6) {
			o.Add(OptionID(rng.IntN(70)), make([]byte, rng.IntN(3)*rng.IntN(100)))
		}
		full := o.Clone()
		full.Add(65000, nil)
		for _, code := range []Code{GET, PUT, Content, NotFound} {
			id, found := o.Unrecognized(code, nil)
			if wantID, want := full.Unrecognized(code, nil); id != wantID || found != want {
				t.Fatalf("%v: %x: %v %v, want %v %v", code, o.raw, id, found, wantID, want)
			}
		}
	}
}
