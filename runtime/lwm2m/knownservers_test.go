package lwm2m_test

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// registers returns the version of LwM2M and the root link of each Register so far.
func (b *bench) registers() []string {
	var all []string
	for _, r := range b.server.Requests() {
		if r.Path != "/rd" {
			continue
		}
		root, _, _ := strings.Cut(string(r.Payload), ",")
		for _, q := range r.Query {
			if v, ok := strings.CutPrefix(q, "lwm2m="); ok {
				all = append(all, v+" "+root)
			}
		}
	}
	return all
}

// A device registers at a server that answers as Wakaama does: with one version and one format at
// once, and with the defaults after two refusals, which are not repeated.
func TestRegisterAtWakaama(t *testing.T) {
	for _, v := range []struct {
		name    string
		change  func(*lwm2m.Config)
		want    string
		reduced string
	}{
		{"with the defaults", func(*lwm2m.Config) {},
			`1.2 </>;rt="oma.lwm2m";ct="112 11544 110 60 11542 11543" | 1.2 </>;rt="oma.lwm2m" | 1.1 </>;rt="oma.lwm2m"`,
			"LwM2M 1.1 instead of 1.2, without ct"},
		{"with one format", func(c *lwm2m.Config) { c.Formats = []content.Format{content.SenMLCBOR} },
			`1.2 </>;rt="oma.lwm2m";ct=112 | 1.1 </>;rt="oma.lwm2m";ct=112`, "LwM2M 1.1 instead of 1.2"},
		{"with one format and 1.1", func(c *lwm2m.Config) {
			c.Formats, c.MaxVersion = []content.Format{content.SenMLCBOR}, registry.V(1, 1)
		}, `1.1 </>;rt="oma.lwm2m";ct=112`, ""},
		{"without formats", func(c *lwm2m.Config) { c.Formats, c.MaxVersion = []content.Format{}, registry.V(1, 1) },
			`1.1 </>;rt="oma.lwm2m"`, ""},
		{"with 1.0, whose list has one format", func(c *lwm2m.Config) { c.MaxVersion = registry.V(1, 0) },
			`1.0 </>;rt="oma.lwm2m";ct=11543`, ""},
	} {
		t.Run(v.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.server.Intercept(lwm2mtest.Wakaama)
				v.change(&b.cfg)
				b.start()
				b.server.WaitRegistered("dev")
				<-time.After(time.Second)
				if got := strings.Join(b.registers(), " | "); got != v.want {
					b.t.Errorf("sent %s\nwant %s", got, v.want)
				}
				s, _ := b.client.Status().Server(1)
				if s.State != lwm2m.StateRegistered || s.Reduced != v.reduced {
					b.t.Errorf("status %v, reduced %q, want %q", s, s.Reduced, v.reduced)
				}
				n := len(b.registers())
				b.client.RegisterAll()
				<-time.After(time.Second)
				if all := b.registers(); len(all) != n+1 || all[n] != all[n-1] {
					b.t.Errorf("the next registration sends %q, want what the server accepts", all[n:])
				}
			})
		})
	}
}

// A device registers at a server that answers as Leshan does, with every version: no version of an
// object has quotes, in a Register and in an Update.
func TestRegisterAtLeshan(t *testing.T) {
	for highest, want := range map[registry.Version]int{registry.V(1, 0): 1, registry.V(1, 1): 1, registry.V(1, 2): 2} {
		t.Run("LwM2M "+highest.String(), func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.server.Intercept(lwm2mtest.Leshan)
				b.cfg.MaxVersion = highest
				b.start()
				dev := b.server.WaitRegistered("dev")
				if got := b.registers(); len(got) != want {
					b.t.Errorf("sent %q, want %d", got, want)
				}
				if payload := b.server.Requests()[want-1].Payload; !bytes.Contains(payload, []byte("</3>;ver=1.2")) {
					b.t.Errorf("the list is %s", payload)
				}
				ctx, stop := context.WithTimeout(context.Background(), time.Minute)
				defer stop()
				// Leshan reads the list of a Discover as strictly.
				a, err := dev.Discover(ctx, "/3")
				if err != nil || a.Code != coap.Content || strings.Contains(a.Text(), `ver="`) {
					b.t.Errorf("Discover is answered %v, %v", a, err)
				}
			})
		})
	}
}

// Leshan reads a Time in CBOR only with tag 0 or 1, and writes tag 1.
func TestTimeInCBORAtLeshan(t *testing.T) {
	onVersion(t, registry.V(1, 1), func(*managed) {}, func(m *managed) {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		a, err := m.dev.Read(ctx, "/3/0/13", content.CBOR)
		if err != nil || a.Code != coap.Content || string(a.Payload) != "\xc1\x1a\x51\x82\x42\x8f" {
			m.t.Errorf("read %v, %v", a, err)
		}
		for _, payload := range []string{
			"\xc1\x1a\x51\x82\x42\x90",                 // tag 1, which Leshan sends
			"\xc0\x74" + "2013-05-02T10:40:17Z",        // tag 0
			"\x1a\x51\x82\x42\x92",                     // no tag
			"\xc1\xfb\x41\xd4\x60\x90\xa4\xc0\x00\x00", // tag 1 with a float
		} {
			if a, err := m.dev.Write(ctx, "/3/0/13", content.CBOR, []byte(payload)); err != nil || a.Code != coap.Changed {
				m.t.Errorf("%x is answered %v, %v", payload, a, err)
			}
			a, err := m.dev.Read(ctx, "/3/0/13", content.CBOR)
			if v, verr := a.Value("/3/0/13"); err != nil || verr != nil || v.Seconds() < 1367491216 {
				m.t.Errorf("after %x: %v, %v, %v", payload, v, err, verr)
			}
		}
		a, err = m.dev.Read(ctx, "/3/0/13", content.SenMLCBOR)
		if err != nil || !bytes.HasSuffix(a.Payload, []byte("\x02\x1a\x51\x82\x42\x93")) {
			m.t.Errorf("SenML CBOR: %v, %v, want a number without a tag", a, err)
		}
	})
}

// Leshan names nodes in SenML with the alternate path of the device, and does not find the path of
// its request in an answer without it.
func TestAlternatePathAtLeshan(t *testing.T) {
	onVersion(t, registry.V(1, 1), func(m *managed) {
		m.server.Intercept(lwm2mtest.Leshan)
		m.cfg.AlternatePath = "/lwm2m"
	}, func(m *managed) {
		ctx, stop := context.WithTimeout(context.Background(), time.Minute)
		defer stop()
		for _, f := range []content.Format{content.SenMLJSON, content.SenMLCBOR} {
			for _, path := range []string{"/3/0/9", "/3/0", "/3"} {
				a, err := m.dev.Read(ctx, path, f)
				if err != nil || a.Code != coap.Content || bytes.Count(a.Payload, []byte("/lwm2m/3/0/")) != 1 {
					m.t.Errorf("%s in %v: %v, %v, want one base name below /lwm2m", path, f, a, err)
				}
			}
			a, err := m.dev.WriteComposite(ctx, f, lwm2mtest.Value("/3/0/14", dm.StringValue("+05:00")))
			if err != nil || a.Code != coap.Changed {
				m.t.Errorf("Write-Composite in %v: %v, %v", f, a, err)
			}
		}
	})
}
