package manage

import (
	"context"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/connectivitymonitoring"
	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func TestRead(t *testing.T) {
	runRows(t, device12, []row{
		{"resource as text", to("GET /3/0/0").accepting(content.Text), coap.Content, "Acme", 0},
		{"number as text", to("GET /3303/0/5700").accepting(content.Text), coap.Content, "21.5", 0},
		{"resource without Accept", to("GET /3/0/0"), coap.Content, "", content.SenMLCBOR},
		{"resource in TLV", to("GET /3/0/9").accepting(content.TLV), coap.Content, "\xc1\x09\x64", content.TLV},
		{"legacy number of TLV comes back", to("GET /3/0/9").accepting(content.LegacyTLV), coap.Content,
			"\xc1\x09\x64", content.LegacyTLV},
		{"resource in CBOR", to("GET /3/0/9").accepting(content.CBOR), coap.Content, "\x18\x64", content.CBOR},
		{"resource in SenML JSON", to("GET /3/0/9").accepting(content.SenMLJSON), coap.Content,
			`[{"bn":"/3/0/9","v":100}]`, content.SenMLJSON},
		{"instance in SenML JSON", to("GET /3303/1").accepting(content.SenMLJSON), coap.Content,
			`[{"bn":"/3303/1/","n":"5700","v":4.25},{"n":"5750","vs":"fridge"}]`, content.SenMLJSON},
		{"resource instance", to("GET /3/0/7/1").accepting(content.Text), coap.Content, "5000", 0},
		{"multiple resource in TLV", to("GET /3/0/6").accepting(content.TLV), coap.Content,
			"\x86\x06\x41\x00\x01\x41\x01\x05", 0},
		{"multiple resource as text", to("GET /3/0/6").accepting(content.Text), coap.NotAcceptable, "", 0},
		{"object in SenML JSON", to("GET /16").accepting(content.SenMLJSON), coap.Content, "[]", 0},
		{"slow resource", to("GET /3303/0/5601").accepting(content.Text), coap.Content, "-3.5", 0},
		{"object with a slow resource", to("GET /3303").accepting(content.SenMLCBOR), coap.Content, "", 0},
		{"no object", to("GET /9999"), coap.NotFound, "/9999", 0},
		{"an ID of more than 16 bits", to("GET /65539/0/0"), coap.NotFound, "", 0},
		{"an ID of more than 32 bits", to("GET /4294967299/0/0"), coap.NotFound, "", 0},
		{"an ID with a letter", to("GET /3/0/:"), coap.NotFound, "", 0},
		{"an ID with a sign", to("GET /3/+/0"), coap.NotFound, "", 0},
		{"an empty segment", to("GET /3").with(func(o *coap.Options) { o.Add(coap.OptionURIPath, nil) }),
			coap.NotFound, "", 0},
		{"a query, which means nothing", to("GET /3/0/0?x=1").accepting(content.Text), coap.Content, "Acme", 0},
		{"the reserved ID", to("GET /3/65535"), coap.NotFound, "", 0},
		{"no instance", to("GET /3/1"), coap.NotFound, "/3/1", 0},
		{"no resource", to("GET /3/0/99"), coap.NotFound, "/3/0/99", 0},
		{"empty resource", to("GET /3/0/15"), coap.NotFound, "/3/0/15", 0},
		{"no resource instance", to("GET /3/0/7/9"), coap.NotFound, "/3/0/7/9", 0},
		{"executable", to("GET /3/0/4"), coap.MethodNotAllowed, "/3/0/4", 0},
		{"write-only", to("GET /5/0/0"), coap.MethodNotAllowed, "", 0},
		{"root", to("GET /"), coap.MethodNotAllowed, "", 0},
		{"Security", to("GET /0"), coap.Unauthorized, "", 0},
		{"Security's key", to("GET /0/0/5"), coap.Unauthorized, "", 0},
		{"hidden object that is not there", to("GET /21/0"), coap.Unauthorized, "", 0},
		{"unknown Accept", to("GET /3/0/0").accepting(4711), coap.NotAcceptable, "", 0},
		{"text of an instance", to("GET /3/0").accepting(content.Text), coap.NotAcceptable, "", 0},
		{"path of names", to("GET /rd/x"), coap.NotFound, "", 0},
		{"path too deep", to("GET /3/0/0/0/0"), coap.NotFound, "", 0},
		{"leading zero", to("GET /03/0"), coap.NotFound, "", 0},
		{"reserved ID", to("GET /3/65535"), coap.NotFound, "", 0},
		{"stream", to("GET /20/0/4014").accepting(content.Opaque), coap.Content, strings.Repeat("log line\n", 2000),
			content.Opaque},
		{"stream without Accept", to("GET /20/0/4014"), coap.Content, strings.Repeat("log line\n", 2000),
			content.Opaque},
	})
	unsized := device12
	unsized.world = func(w *world) { w.logSize = -1 }
	runRows(t, unsized, []row{
		{"stream of unknown size", to("GET /20/0/4014").accepting(content.Opaque), coap.Content,
			strings.Repeat("log line\n", 2000), content.Opaque},
		{"stream of unknown size without Accept", to("GET /20/0/4014"), coap.Content,
			strings.Repeat("log line\n", 2000), content.Opaque},
		{"stream of unknown size in CBOR", to("GET /20/0/4014").accepting(content.CBOR), coap.Content,
			"\x59\x46\x50" + strings.Repeat("log line\n", 2000), content.CBOR},
	})
	runRows(t, setup{servers: 1, version: registry.V(1, 0)}, []row{
		{"LwM2M 1.0 without Accept", to("GET /3/0/9"), coap.Content, "\xc1\x09\x64", content.TLV},
	})
	runRows(t, setup{servers: 1, peer: func(c *PeerConfig) { c.Format = content.SenMLJSON }}, []row{
		{"format of the server's choice", to("GET /3/0/9"), coap.Content, "", content.SenMLJSON},
	})
	runRows(t, setup{servers: 1, peer: func(c *PeerConfig) { c.Root = "/lwm2m/v1" }}, []row{
		{"alternate path", to("GET /lwm2m/v1/3/0/0").accepting(content.Text), coap.Content, "Acme", 0},
		{"without the alternate path", to("GET /3/0/0"), coap.NotFound, "", 0},
		{"Read-Composite, which has no path", to("FETCH /").as(content.SenMLJSON, `[{"n":"/lwm2m/v1/3/0/0"}]`).accepting(content.SenMLJSON),
			coap.Content, `[{"bn":"/lwm2m/v1/3/0/","n":"0","vs":"Acme"}]`, content.SenMLJSON},
		{"half of the alternate path", to("GET /lwm2m"), coap.NotFound, "", 0},
		{"Discover under the alternate path", to("GET /lwm2m/v1/3303/1").accepting(content.Link), coap.Content,
			"</lwm2m/v1/3303/1>,</lwm2m/v1/3303/1/5700>,</lwm2m/v1/3303/1/5750>", content.Link},
	})
}

// A stream is closed when it has been sent, and where it cannot be.
func TestReadStreamsAreClosed(t *testing.T) {
	for _, size := range []int64{0, -1} {
		synctest.Test(t, func(t *testing.T) {
			o := device12
			o.world = func(w *world) { w.logSize = size }
			r := newRig(t, o)
			for n, a := range []ask{to("GET /20/0/4014"), to("GET /20/0/4014").accepting(content.Opaque),
				to("GET /20/0/4014").accepting(content.CBOR)} {
				r.dev.closed = 0
				r.peers[0].do(a)
				r.pass(10 * time.Minute)
				opened := 1
				if size < 0 && n < 2 {
					opened = 2 // once for its size
				}
				if r.dev.closed != opened {
					t.Errorf("size %d, request %d: closed %d times, want %d", size, n, r.dev.closed, opened)
				}
			}
		})
	}
}

func TestSequentialSource(t *testing.T) {
	text := firmware(20_000)
	s := adapt(&memSource{strings.NewReader(text)})
	defer s.Close()
	buf := make([]byte, 1024)
	for _, off := range []int64{0, 0, 1024, 512, 9000, 8000, 18976} {
		n, err := s.ReadAt(buf, off)
		if err != nil || string(buf[:n]) != text[off:off+1024] {
			t.Errorf("at %d: %d bytes, %v", off, n, err)
		}
	}
	if _, err := s.ReadAt(buf, 0); err == nil {
		t.Error("it reads what is no longer kept")
	}
	if _, err := s.ReadAt(buf, 19_500); err != io.ErrUnexpectedEOF && err != io.EOF {
		t.Errorf("beyond the end: %v", err)
	}
	if _, err := s.ReadAt(buf[:10], 19_990); err != nil {
		t.Errorf("the end itself: %v", err)
	}
}

// The model changes while an answer is fetched block by block: the answer is of one state.
func TestLargeAnswerIsOneState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		long := strings.Repeat("a", 60)
		ids := map[dm.ResourceInstanceID]string{}
		for i := range 100 {
			ids[dm.ResourceInstanceID(i)] = long
		}
		if err := r.dev.portfolio.Add(0, portfolio.Instance{Identity: dm.Map(ids)}); err != nil {
			t.Fatal(err)
		}
		got, done := r.peers[0].begin(to("GET /16/0").accepting(content.TLV))
		for range 4 {
			r.turn()
		}
		if *done {
			t.Fatal("it fits one block")
		}
		if err := r.dev.portfolio.Update(context.Background(), 0, func(i *portfolio.Instance) error {
			i.Identity.Set(99, strings.Repeat("b", 60))
			return nil
		}); err != nil {
			t.Fatal(err)
		}
		r.until(func() bool { return *done })
		if n := strings.Count(got.body, long); n != 100 || strings.Contains(got.body, "bbb") {
			t.Errorf("%d of 100 values are of the state of the request", n)
		}
	})
}

func TestDiscover(t *testing.T) {
	o := device12
	o.device = func(c *DeviceConfig) {
		c.ImpliedVersion = func(id dm.ObjectID, v registry.Version) registry.Version {
			if id == 3 {
				return registry.V(1, 2)
			}
			return registry.V(1, 0)
		}
	}
	link := func(line string) ask { return to("GET " + line).accepting(content.Link) }
	runRows(t, o, []row{
		{"instance", link("/16"), coap.Content, "</16>", content.Link},
		{"object", link("/3303"), coap.Content, "</3303>;ver=1.1,</3303/0>,</3303/0/5601>,</3303/0/5605>,</3303/0/5700>," +
			"</3303/0/5701>,</3303/0/5750>,</3303/1>,</3303/1/5700>,</3303/1/5750>", 0},
		{"object of the implied version", link("/3?depth=0"), coap.Content, "</3>", 0},
		{"depth 1", link("/3303?depth=1"), coap.Content, "</3303>;ver=1.1,</3303/0>,</3303/1>", 0},
		{"resource with instances", link("/3/0/6"), coap.Content, "</3/0/6>;dim=2,</3/0/6/0>,</3/0/6/1>", 0},
		{"depth 0", link("/3/0/6?depth=0"), coap.Content, "</3/0/6>;dim=2", 0},
		{"resource instance", link("/3/0/6/1"), coap.Content, "</3/0/6/1>", 0},
		{"wrong depth", link("/3?depth=7"), coap.BadRequest, "", 0},
		{"no number as depth", link("/3?depth=-"), coap.BadRequest, "", 0},
		{"depth without a number", link("/3?depth="), coap.BadRequest, "", 0},
		{"depth of two digits", link("/3?depth=01"), coap.BadRequest, "", 0},
		{"another query, which means nothing", link("/3?x=1&depth=0"), coap.Content, "</3>", 0},
		{"no instance", link("/3/1"), coap.NotFound, "", 0},
		{"no object", link("/77"), coap.NotFound, "", 0},
		{"Security", link("/0"), coap.Unauthorized, "", 0},
		{"root", link("/"), coap.MethodNotAllowed, "", 0},
	})
	for v, want := range map[registry.Version]string{
		registry.V(1, 0): "</3303>;ver=1.1", registry.V(1, 1): "</3303>;ver=1.1", registry.V(1, 2): "</3303>;ver=1.1",
	} {
		o.version = v
		runRows(t, o, []row{{"LwM2M " + v.String(), link("/3303?depth=0"), coap.Content, want, 0}})
	}
	o.world = func(w *world) {
		monitor, err := connectivitymonitoring.New(connectivitymonitoring.Config{})
		if err == nil {
			err = monitor.Add(0, connectivitymonitoring.Instance{
				NetworkBearer: dm.Int(0), AvailableNetworkBearer: dm.List[int64](0), RadioSignalStrength: dm.Int(1),
				IPAddresses: dm.SlowMulti(func(context.Context) (map[dm.ResourceInstanceID]string, error) {
					return map[dm.ResourceInstanceID]string{0: "192.0.2.1", 7: "192.0.2.2"}, nil
				}),
			})
		}
		if err != nil {
			t.Fatal(err)
		}
		w.more = []dm.Object{monitor}
	}
	synctest.Test(t, func(t *testing.T) {
		p := newRig(t, o).peers[0]
		p.do(to("PUT /4/0/4?pmin=5"))
		want := "</4/0/4>;dim=2;pmin=5,</4/0/4/0>,</4/0/4/7>"
		if got := p.do(link("/4/0/4")); got.body != want {
			t.Errorf("a slow resource with instances is %s, want %s", got.body, want)
		}
	})
	o.world = func(w *world) {
		bag, err := portfolio.New(portfolio.Config{})
		if err == nil {
			err = bag.Add(3, portfolio.Instance{Identity: dm.EmptyMulti[string]()})
		}
		if err != nil {
			t.Fatal(err)
		}
		w.portfolio = bag
	}
	runRows(t, o, []row{{"resource without instances", link("/16/3"), coap.Content, "</16/3>,</16/3/0>;dim=0", 0}})
}
