package provision

import (
	"fmt"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func path(t testing.TB, text string) dm.Path {
	t.Helper()
	p, err := dm.ParsePath(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// encodeAs returns the payload of a Write of p in a format, from one in SenML JSON.
func encodeAs(t testing.TB, r *rig, f content.Format, p dm.Path, senml string) string {
	t.Helper()
	entries, err := decode(content.SenMLJSON, []byte(senml), p, r.model.Snapshot())
	if err != nil {
		t.Fatal(err)
	}
	slices.SortFunc(entries, func(a, b dm.Entry) int { return a.Path.Compare(b.Path) })
	var e codec.Encoder
	b, err := e.Encode(f, nil, content.Target{Base: p}, entries)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func (r *rig) staged(p string) string {
	r.t.Helper()
	v, err := r.seq.snapshot().Value(r.t.Context(), dm.Application, path(r.t, p))
	if err != nil {
		return dm.CodeOf(err).String()
	}
	if v.IsSecret() {
		return string(v.Opaque())
	}
	return v.String()
}

// Each level is written in each format that can carry it.
func TestWriteFormats(t *testing.T) {
	const two = `[{"bn":"/1/","n":"2/0","v":2},{"n":"2/1","v":300},{"n":"2/7","vs":"U"},{"n":"3/0","v":3},{"n":"3/1","v":400}]`
	for _, f := range []content.Format{content.TLV, content.SenMLJSON, content.SenMLCBOR, content.LwM2MCBOR, content.LwM2MJSON, content.LegacyTLV} {
		t.Run(f.String(), func(t *testing.T) {
			inRig(t, setup{}, func(t *testing.T, r *rig) {
				for _, c := range []struct{ path, senml, see, want string }{
					{"/1", two, "/1/3/1", "400"},
					{"/1/2", server2, "/1/2/6", "true"},
					{"/1/2/1", `[{"bn":"/1/2/1","v":77}]`, "/1/2/1", "77"},
					{"/0/2", strings.Replace(security2, `]`, `,{"n":"5","vd":"c2VjcmV0"}]`, 1), "/0/2/5", "secret"},
					{"/2/0/2", `[{"bn":"/2/0/2/","n":"1","v":31},{"n":"2","v":1}]`, "/2/0/2/2", "1"},
				} {
					r.want(coap.Changed, to("PUT "+c.path).as(f, encodeAs(t, r, f, path(t, c.path), c.senml)))
					if got := r.staged(c.see); got != c.want {
						t.Errorf("after a Write of %s, %s is %s, want %s", c.path, c.see, got, c.want)
					}
				}
				if got := r.staged("/1/0/1"); got != "86400" {
					t.Errorf("an instance that the payload does not name has %s", got)
				}
			})
		})
	}
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		for _, c := range []struct {
			ask  ask
			want string
		}{
			{to("PUT /1/0/1").as(content.Text, "77"), "77"},
			{to("PUT /1/0/1").as(content.None, "78"), "78"}, // LwM2M 1.0
			{to("PUT /1/0/1").as(content.CBOR, "\x18\x4f"), "79"},
		} {
			r.want(coap.Changed, c.ask)
			if got := r.staged("/1/0/1"); got != c.want {
				t.Errorf("the resource is %s, want %s", got, c.want)
			}
		}
		r.want(coap.Changed, to("PUT /0/1/5").as(content.Opaque, "new key"))
		if got := r.staged("/0/1/5"); got != "new key" {
			t.Errorf("the key is %q", got)
		}
	})
}

// Refused Writes name the path and change nothing; the sequence goes on.
func TestWriteRefused(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		before := dump(t, r.seq.snapshot())
		const noTarget = "4.00 only an object, an instance or a resource can be written"
		for _, c := range []struct {
			fault string
			ask   ask
			want  string
		}{
			{"type", put("/1/2", `[{"bn":"/1/2/","n":"0","v":2},{"n":"1","vs":"long"}]`), "4.00 /1/2/1"},
			{"range", put("/1/2", `[{"bn":"/1/2/","n":"0","v":70000}]`), "4.00 /1/2/0"},
			{"twice", put("/1/2", `[{"bn":"/1/2/","n":"0","v":2},{"n":"0","v":3}]`), "4.00 /1/2/0"},
			{"elsewhere", put("/1/2", `[{"bn":"/1/3/","n":"0","v":2}]`), "4.00 /1/3/0"},
			{"a prefix", put("/1/2", `[{"bn":"/dev0/1/2/","n":"0","v":2}]`), "4.00 /1/2"},
			{"an alternate path", put("/1/2", `[{"bn":"/lwm2m/1/2/","n":"0","v":2}]`), "4.00 /1/2"},
			{"cut off", put("/1/2", `[{"bn":"/1/2/","n":"0"`), "4.00 /1/2"},
			{"executable", put("/1/2/4", `[{"bn":"/1/2/4","v":1}]`), "4.00 /1/2/4"},
			{"unknown, named", put("/1/0/999", `[{"bn":"/1/0/999","v":1}]`), "4.00 /1/0/999"},
			{"unknown object", put("/7/0", `[{"bn":"/7/0/","n":"0","v":2}]`), "4.00 /7/0"},
			{"level", put("/1/2", `[{"bn":"/1/2/","n":"1/0","v":2}]`), "4.00 /1/2/1/0"},
			{"a second Device", put("/3/1", `[{"bn":"/3/1/","n":"0","vs":"x"}]`), "4.00 /3/1"},
			{"no pack", put("/", `[{"bn":"/1/2/","n":"0","v":2}]`), noTarget},
			{"", put("/2/0/2/1", `[{"bn":"/2/0/2/1","v":1}]`), noTarget},
			{"", put("/lwm2m/1/2", server2), noTarget},
			{"", put("/dev0/1/2", server2), noTarget},
			{"", put("/bs", server2), noTarget},
			{"", to("PUT /1/2").as(content.None, "x"), "4.15 the Content-Format is missing"},
			{"", to("PUT /1/2").as(content.Text, "x"), "4.15 /1/2"},
			{"", to("PUT /1/2").as(9999, "x"), "4.15 /1/2"},
			{"", to("PUT /1/0/1").as(content.Text, "x"), "4.00 /1/0/1"},
			{"", to("POST /1/2").as(content.SenMLJSON, server2), "4.05 the method is not defined for this path"},
			{"", to("POST /1/0/8"), "4.05 the method is not defined for this path"},
			{"", to("POST /bs/0"), "4.05 the method is not defined for this path"},
			{"", to("IPATCH /").as(content.SenMLJSON, server2), "4.05 the method is not defined for this path"},
		} {
			if got := r.do(c.ask); got.String() != c.want {
				t.Errorf("%s %s (%s): %v, want %s", c.ask.line, c.ask.body, c.fault, got, c.want)
			}
		}
		if got := dump(t, r.seq.snapshot()); got != before {
			t.Errorf("refused Writes left\n%s", got)
		}
		r.want(coap.Changed, to("POST /bs"))
	})
}

// Resources that the device does not know are skipped (Core 1.2.2 §6.1.7.5).
func TestWriteSkipsUnknownResources(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		r.want(coap.Changed, put("/1/2", `[{"bn":"/1/2/","n":"0","v":2},{"n":"999","vs":"x"},{"n":"1","v":300},{"n":"7","vs":"U"},{"n":"6","vb":true}]`))
		r.want(coap.Changed, put("/1", `[{"bn":"/1/2/","n":"998/3","vs":"x"},{"n":"0","v":2},{"n":"1","v":301},{"n":"7","vs":"U"},{"n":"6","vb":true}]`))
		if got := r.staged("/1/2/1"); got != "301" {
			t.Errorf("the lifetime is %s", got)
		}
		r.want(coap.Changed, put("/0/2", security2))
		r.want(coap.Changed, to("POST /bs"))
	})
}

// A payload of many blocks is written, up to the limit. What its head says is refused at once.
func TestWriteInBlocks(t *testing.T) {
	inRig(t, setup{config: func(c *Config) { c.Limits.Payload = 4096 }}, func(t *testing.T, r *rig) {
		uri := "coap://" + strings.Repeat("a", 200)
		body := fmt.Sprintf(`[{"bn":"/0/2/","n":"0","vs":%q},{"n":"1","vb":false},{"n":"2","v":3},{"n":"10","v":2},{"n":"5","vs":""},{"n":"3","vd":"%s"}]`,
			uri, strings.Repeat("QUFB", 700))
		body = strings.Replace(body, `{"n":"5","vs":""},`, "", 1)
		r.want(coap.Changed, put("/0/2", body))
		if got := r.staged("/0/2/0"); got != uri {
			t.Errorf("the URI is %s", got)
		}
		for _, a := range []ask{
			put("/0/3", strings.Repeat(" ", 5000)+"[]"),
			to("PUT /1/2").as(content.None, strings.Repeat("x", 3000)),
		} {
			got := r.do(a)
			if got.code != coap.RequestEntityTooLarge && got.code != coap.UnsupportedContentFormat {
				t.Errorf("%s: %v", a.line, got)
			}
		}
	})
}

// The value of a streamed resource is passed to its Sink when the sequence ends.
func TestWriteStream(t *testing.T) {
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		image := strings.Repeat("image ", 500)
		r.want(coap.Changed, to("PUT /5/0/0").as(content.Opaque, image))
		if r.image != nil {
			t.Error("the Sink was told to commit before the end")
		}
		r.want(coap.Changed, to("POST /bs"))
		if string(r.image) != image {
			t.Errorf("the Sink has %d bytes", len(r.image))
		}
	})
	inRig(t, setup{}, func(t *testing.T, r *rig) {
		r.want(coap.Changed, to("PUT /5/0/0").as(content.Opaque, "image"))
		r.seq.Abort()
		if r.image != nil || r.aborted != 1 {
			t.Errorf("after Abort the image is %q, %d Sinks aborted", r.image, r.aborted)
		}
	})
}

// What a sequence may write is bounded, whatever it writes.
func TestWriteBound(t *testing.T) {
	inRig(t, setup{config: func(c *Config) { c.Limits.Staged = 16 << 10 }}, func(t *testing.T, r *rig) {
		made := 0
		for i := range 2000 {
			got := r.do(put("/1", fmt.Sprintf(`[{"bn":"/1/%d/0","v":2}]`, i+10)))
			if got.code != coap.Changed {
				if got.String() != "4.13 the sequence writes too much" {
					t.Errorf("after %d instances: %v", made, got)
				}
				break
			}
			made++
		}
		if made < 20 || made > 32 {
			t.Errorf("%d instances were made", made)
		}
		r.want(coap.RequestEntityTooLarge, put("/1/0/1", `[{"bn":"/1/0/1","v":77}]`))
		r.want(coap.Deleted, to("DELETE /1"))
	})
}

// What the bound on a sequence costs in memory, whatever the server fills it with.
func TestMemoryOfStaged(t *testing.T) {
	// The first two are TLV: instances with long IDs and no resource, and resource instances.
	fill := map[string]func(i int) (dm.Path, content.Format, []byte){
		"instances without values": func(i int) (dm.Path, content.Format, []byte) {
			var b []byte
			for j := range 100 {
				n := i*100 + j
				b = append(b, 0x20, byte(n>>8), byte(n))
			}
			return dm.ObjectPath(1), content.TLV, b
		},
		"small values": func(i int) (dm.Path, content.Format, []byte) {
			var b []byte
			for j := range 200 {
				n := i*200 + j
				b = append(b, 0x61, byte(n>>8), byte(n), 1)
			}
			return dm.ResourcePath(2, dm.InstanceID(i), 2), content.TLV, b
		},
		"large values": func(i int) (dm.Path, content.Format, []byte) {
			return dm.ResourcePath(0, dm.InstanceID(i), 5), content.Opaque, make([]byte, 4000)
		},
		"one value again and again": func(int) (dm.Path, content.Format, []byte) {
			return dm.ResourcePath(0, 1, 5), content.Opaque, make([]byte, 4000)
		},
	}
	for name, payload := range fill {
		s, _ := newStage(t)
		before := heap()
		writes := 0
		for i := range 100_000 {
			p, f, b := payload(i)
			k := &task{op: write, path: p, format: f}
			if err := s.writePayload(k, s.t, b); err != nil {
				if err != errStaged {
					t.Fatalf("%s: after %d writes: %v", name, writes, err)
				}
				break
			}
			writes++
		}
		used := heap() - before
		if t.Logf("%s: %d writes, %d KiB", name, writes, used>>10); used > 8<<20 || writes < 10 {
			t.Errorf("%s: %d writes use %d bytes", name, writes, used)
		}
		s.t.Rollback()
	}
}

func heap() int {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapAlloc)
}
