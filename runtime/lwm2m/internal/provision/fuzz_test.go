package provision

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/corelink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// newStage returns a sequence without a connection, and its open transaction.
func newStage(t testing.TB) (*Sequence, *dm.Transaction) {
	t.Helper()
	r := &rig{t: t, s: sched.New()}
	r.model = r.newModel(&setup{})
	s, err := New(Config{Sched: r.s, Model: r.model, Logger: r.logger(), Version: registry.V(1, 2), ImpliedVersion: implied})
	r.must(err)
	s.t, err = r.model.Begin(context.Background(), dm.Bootstrap)
	r.must(err)
	s.own = bootstrapAccounts(s.t.Snapshot())
	return s, s.t
}

// checkStage checks what holds of whatever has been written: links can be parsed, Reads can be
// decoded, and neither shows a secret.
func checkStage(t testing.TB, s *Sequence) {
	t.Helper()
	list, err := s.links(s.t.Snapshot(), dm.Path{})
	if err != nil {
		t.Fatalf("Discover: %v", err)
	}
	n := 0
	if err := corelink.Parse(list, func(corelink.Link) error { n++; return nil }); err != nil || n == 0 {
		t.Fatalf("the links %s: %d, %v", list, n, err)
	}
	for _, id := range []dm.ObjectID{serverObject, accessObject} {
		k := &task{path: dm.ObjectPath(id), format: content.SenMLCBOR}
		body, err := encode(context.Background(), s.t.Snapshot(), k)
		if err != nil {
			t.Fatalf("reading %v: %v", k.path, err)
		}
		if _, err := decode(k.format, body, k.path, s.t.Snapshot()); err != nil {
			t.Fatalf("the Read of %v is %x: %v", k.path, body, err)
		}
		list = append(list, body...)
	}
	if bytes.Contains(list, []byte("hunter2")) {
		t.Fatalf("a secret is shown: %s", list)
	}
}

// endStage finishes what has been written where it is consistent, and otherwise discards it.
func endStage(t testing.TB, s *Sequence, before string) {
	t.Helper()
	err := s.t.PrepareAfter(func() error { return s.consistent(s.t, true) })
	if err == nil {
		err = s.t.Persist()
	}
	if err != nil {
		s.t.Rollback()
		if got := dump(t, s.cfg.Model.Snapshot()); got != before {
			t.Fatalf("a refused end (%v) left\n%s", err, got)
		}
		return
	}
	s.t.Publish()
	s.t.Finish()
	if n, err := CheckAccounts(s.cfg.Model.Snapshot(), nil); n == 0 || err != nil {
		t.Fatalf("after the end there are %d accounts, %v", n, err)
	}
}

func formats() []content.Format {
	return []content.Format{content.TLV, content.SenMLJSON, content.SenMLCBOR, content.LwM2MCBOR, content.LwM2MJSON}
}

// FuzzWrite writes two payloads to a path each. A Write changes all or nothing, what it leaves can
// be discovered and read, and it ends in the old state or in one with an account.
func FuzzWrite(f *testing.F) {
	r := &rig{t: f, s: sched.New()}
	r.model = r.newModel(&setup{})
	for _, c := range []struct{ p, senml string }{{"/0/2", security2}, {"/1/2", server2}, {"/0/5", newBoss}, {"/0", security2}} {
		for _, format := range formats() {
			f.Add(c.p, uint16(format), []byte(encodeAs(f, r, format, path(f, c.p), c.senml)), "/1/2", uint16(content.SenMLJSON), []byte(server2))
		}
	}
	f.Add("/0/1/0", uint16(content.Text), []byte("coap://a\"b\\c\n"), "/0/1/5", uint16(content.Opaque), []byte("\x00"))
	f.Add("/5/0/0", uint16(content.Opaque), []byte("image"), "/1/0/1", uint16(content.CBOR), []byte("\x18\x4f"))
	f.Fuzz(func(t *testing.T, p1 string, f1 uint16, b1 []byte, p2 string, f2 uint16, b2 []byte) {
		s, tx := newStage(t)
		before := dump(t, tx.Snapshot())
		for _, w := range []struct {
			p string
			f uint16
			b []byte
		}{{p1, f1, b1}, {p2, f2, b2}} {
			target, err := dm.ParsePath(w.p)
			if err != nil || len(w.b) > 4000 || content.Check(content.Format(w.f), content.Write, target) != nil {
				continue
			}
			was := dump(t, tx.Snapshot())
			if err := s.writePayload(&task{path: target, format: content.Format(w.f)}, tx, w.b); err != nil && dump(t, tx.Snapshot()) != was {
				t.Fatalf("a refused Write (%v) left\n%s", err, dump(t, tx.Snapshot()))
			}
			checkStage(t, s)
		}
		endStage(t, s, before)
	})
}

// FuzzPack applies packs.
func FuzzPack(f *testing.F) {
	r := &rig{t: f, s: sched.New()}
	r.model = r.newModel(&setup{})
	packs := []string{account2, join(account2, newBoss), join(account2, `[{"bn":"/3/0/15","vs":"UTC"}]`), security2, "[]",
		join(account2, `[{"bn":"/2/0/","n":"0","v":1},{"n":"1","v":2},{"n":"2/2","v":3},{"n":"3","v":2}]`)}
	for _, p := range packs {
		for _, format := range []content.Format{content.SenMLJSON, content.SenMLCBOR, content.LwM2MCBOR} {
			f.Add(uint16(format), []byte(encodeAs(f, r, format, dm.Path{}, p)))
		}
	}
	f.Fuzz(func(t *testing.T, format uint16, payload []byte) {
		if len(payload) > 4000 {
			return
		}
		s, tx := newStage(t)
		before := dump(t, tx.Snapshot())
		k := &task{op: pack, format: content.Format(format), pack: payload}
		if err := s.applyPack(k, tx); err != nil {
			tx.Rollback()
			if got := dump(t, s.cfg.Model.Snapshot()); got != before {
				t.Fatalf("a refused pack (%v) left\n%s", err, got)
			}
			return
		}
		checkStage(t, s)
		if !strings.Contains(dump(t, tx.Snapshot()), "/3/0/0 ") {
			t.Fatal("the Device object has lost its manufacturer")
		}
		endStage(t, s, before)
	})
}

// FuzzLinks discovers accounts with any URI, Short Server ID and OSCORE link.
func FuzzLinks(f *testing.F) {
	f.Add("coap://server", int64(7), "21:1", int64(7))
	f.Add("a\"b\\c\x7f\xff", int64(-1), "65535:65535", int64(1<<40))
	f.Fuzz(func(t *testing.T, uri string, short int64, link string, server int64) {
		s, tx := newStage(t)
		defer tx.Rollback()
		entries := []dm.Entry{
			{Path: dm.ResourcePath(0, 2, 0), Value: dm.StringValue(uri)}, {Path: dm.ResourcePath(0, 2, 10), Value: dm.IntegerValue(short)},
		}
		_ = tx.Write(dm.InstancePath(0, 2), dm.Replace, entries)
		_ = tx.Write(dm.InstancePath(1, 2), dm.Replace, []dm.Entry{{Path: dm.ResourcePath(1, 2, 0), Value: dm.IntegerValue(server)}})
		_ = s.writePayload(&task{path: dm.ResourcePath(0, 0, 17), format: content.Text}, tx, []byte(link))
		checkStage(t, s)
	})
}

// FuzzRequests sends two requests with any method, path, formats and payload. Each is answered
// once, nothing is visible before a Finish, and Abort leaves nothing.
func FuzzRequests(f *testing.F) {
	add := func(a, b ask) {
		f.Add(a.line, uint16(a.format), uint16(a.accept), []byte(a.body), b.line, uint16(b.format), uint16(b.accept), []byte(b.body))
	}
	add(put("/0/2", security2), put("/1/2", server2))
	add(links("/"), to("POST /bs"))
	add(to("DELETE /"), to("GET /1").accepting(content.TLV))
	add(to("PUT /5/0/0").as(content.Opaque, "image"), to("POST /bs"))
	add(put("/0/5", newBoss), to("POST /bs"))
	f.Fuzz(func(t *testing.T, l1 string, f1, a1 uint16, b1 []byte, l2 string, f2, a2 uint16, b2 []byte) {
		for _, line := range []string{l1, l2} {
			method, p, _ := strings.Cut(line, " ")
			if methods[method] == coap.Empty || len(p) > 200 {
				return
			}
		}
		if len(b1)+len(b2) > 4000 {
			return
		}
		inRig(t, setup{}, func(t *testing.T, r *rig) {
			before := r.dump()
			for _, a := range []ask{{l1, content.Format(f1), content.Format(a1), string(b1)}, {l2, content.Format(f2), content.Format(a2), string(b2)}} {
				got := r.do(a)
				if strings.Contains(got.body+r.log.String(), "hunter2") && !strings.Contains(l1+l2+string(b1)+string(b2), "hunter2") {
					t.Fatalf("a secret is shown: %v\n%s", got, r.log.String())
				}
				if r.finished == 0 && r.dump() != before {
					t.Fatalf("%s: this is visible:\n%s", a.line, r.dump())
				}
			}
			r.seq.Abort()
			if n, err := CheckAccounts(r.model.Snapshot(), nil); r.finished > 0 && (n == 0 || err != nil) {
				t.Fatalf("after the end there are %d accounts, %v", n, err)
			} else if r.finished == 0 && r.dump() != before {
				t.Fatalf("Abort leaves\n%s", r.dump())
			}
			r.free()
		})
	})
}
