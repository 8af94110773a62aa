package manage

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/audioclip"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

func firmware(n int) string {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i>>10 ^ i)
	}
	return string(b)
}

func TestUpload(t *testing.T) {
	image := firmware(100_000)
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		p := r.peers[0]
		if got := p.do(to("PUT /5/0/0").as(content.Opaque, image)); got.code != coap.Changed {
			t.Fatalf("answered %v %q", got.code, got.body)
		}
		if string(r.dev.image) != image || r.dev.committed != 1 || r.dev.aborted != 0 {
			t.Errorf("%d bytes committed %d times, aborted %d times", len(r.dev.image), r.dev.committed, r.dev.aborted)
		}
		// In one message, and in other formats, it is no stream for CoAP but one for the resource.
		for _, a := range []ask{
			to("PUT /5/0/0").as(content.Opaque, "short"),
			to("PUT /5/0/0").as(content.CBOR, "\x45short"),
			to("PUT /5/0/0").as(content.TLV, "\xc5\x00short"),
		} {
			r.dev.image = nil
			if got := p.do(a); got.code != coap.Changed || string(r.dev.image) != "short" {
				t.Errorf("%v: %v, image %q", a.format, got.code, r.dev.image)
			}
		}
		// While it is under way, another writer is refused, and the half image is visible to no
		// server.
		half, done := p.begin(to("PUT /5/0/0").as(content.Opaque, image))
		for range 20 {
			r.turn()
		}
		if *done {
			t.Fatalf("it has ended: %v", half.code)
		}
		if got := p.do(to("PUT /5/0/0").as(content.Opaque, "other")); got.code != coap.ServiceUnavailable {
			t.Errorf("a second writer is answered %v", got.code)
		}
		r.until(func() bool { return *done })
		if half.code != coap.Changed || string(r.dev.image) != image {
			t.Errorf("answered %v, %d bytes", half.code, len(r.dev.image))
		}
	})
}

func TestUploadsEnd(t *testing.T) {
	image := firmware(100_000)
	for _, c := range []struct {
		name string
		play func(t *testing.T, r *rig, p *remote)
		code coap.Code
	}{
		{"refused by the device", func(_ *testing.T, r *rig, _ *remote) {
			r.dev.failOpen = dm.Errorf(dm.Forbidden,
				"no")
		}, coap.Forbidden},
		{"failing without a code", func(_ *testing.T, r *rig, _ *remote) { r.dev.failOpen = errors.New("hunter2") },
			coap.InternalServerError},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, device12)
				c.play(t, r, r.peers[0])
				got, done := r.peers[0].begin(to("PUT /5/0/0").as(content.Opaque, image))
				r.until(func() bool { return *done })
				if got.code != c.code || strings.Contains(got.body, "hunter2") || r.dev.committed != 0 {
					t.Errorf("answered %v %q", got.code, got.body)
				}
				if n := r.peers[0].end.Stats().MessagesReceived; n > 2 {
					t.Errorf("%d messages were taken before it was refused", n)
				}
			})
		})
	}
	for want, err := range map[coap.Code]error{
		coap.RequestEntityTooLarge: dm.Errorf(dm.RequestEntityTooLarge, "no room"),
		coap.InternalServerError:   errors.New("hunter2"),
	} {
		t.Run("failing later with "+want.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t, device12)
				r.dev.failWrite = err
				got := r.peers[0].do(to("PUT /5/0/0").as(content.Opaque, image))
				if got.code != want || got.body != "" || r.dev.committed != 0 || r.dev.aborted != 1 {
					t.Errorf("answered %v %q, committed %d, aborted %d times", got.code, got.body, r.dev.committed,
						r.dev.aborted)
				}
				r.dev.failWrite = nil
				if got := r.peers[0].do(to("PUT /5/0/0").as(content.Opaque, "next")); got.code != coap.Changed {
					t.Errorf("the next one is answered %v", got.code)
				}
			})
		})
	}
	refusals := []row{
		{"read-only", to("PUT /3/0/0").as(content.Opaque, image), coap.MethodNotAllowed, "/3/0/0", 0},
		{"no resource", to("PUT /3/0/99").as(content.Opaque, image), coap.NotFound, "/3/0/99", 0},
		{"Security", to("PUT /0/0/5").as(content.Opaque, image), coap.Unauthorized, "", 0},
		{"unknown format", to("PUT /5/0/0").as(4711, image), coap.UnsupportedContentFormat, "", 0},
		{"Create of nothing", to("POST /77").as(content.TLV, image), coap.NotFound, "/77", 0},
		{"Create in an unknown format", to("POST /16").as(4711, image), coap.UnsupportedContentFormat, "", 0},
		{"Execute of nothing", to("POST /3/0/99").as(content.Text, image), coap.NotFound, "/3/0/99", 0},
		{"Write-Composite in TLV", to("IPATCH /").as(content.TLV, image), coap.UnsupportedContentFormat, "", 0},
		{"Read-Composite too large", to("FETCH /").as(content.SenMLCBOR, image), coap.RequestEntityTooLarge, "", 0},
		{"too large for memory", to("PUT /3303/0/5750").as(content.Text, image), coap.RequestEntityTooLarge, "", 0},
	}
	runRows(t, device12, refusals)
	t.Run("at the first block", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, device12)
			for _, row := range refusals[:len(refusals)-2] {
				before := r.peers[0].end.Stats().MessagesReceived
				if got := r.peers[0].do(row.ask); got.code != row.code {
					t.Errorf("%s: %v", row.name, got.code)
				}
				if n := r.peers[0].end.Stats().MessagesReceived - before; n > 2 {
					t.Errorf("%s: %d messages were taken", row.name, n)
				}
			}
		})
	})
	t.Run("cancelled by the server", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, device12)
			a := to("PUT /5/0/0").as(content.Opaque, image)
			call := a.call()
			call.Done = func(coap.Result) {}
			if err := r.peers[0].conn.Do(call); err != nil {
				t.Fatal(err)
			}
			for range 20 {
				r.turn()
			}
			call.Cancel()
			r.pass(10 * time.Minute)
			if r.dev.aborted != 1 || r.dev.committed != 0 {
				t.Errorf("aborted %d times, committed %d times", r.dev.aborted, r.dev.committed)
			}
			if got := r.peers[0].do(to("PUT /5/0/0").as(content.Opaque, "next")); got.code != coap.Changed {
				t.Errorf("the next one is answered %v", got.code)
			}
		})
	})
	t.Run("complete while the slot is taken", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, device12)
			release := r.busy()
			got, done := r.peers[0].begin(to("PUT /5/0/0").as(content.Opaque, image))
			r.pass(20 * time.Second)
			if *done || r.dev.committed != 0 {
				t.Fatal("it did not wait")
			}
			release()
			r.until(func() bool { return *done })
			if got.code != coap.Changed || string(r.dev.image) != image {
				t.Errorf("answered %v, %d bytes", got.code, len(r.dev.image))
			}
		})
	})
	t.Run("complete when its server is gone", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			r := newRig(t, device12)
			release := r.busy()
			r.peers[0].begin(to("PUT /5/0/0").as(content.Opaque, image))
			r.pass(20 * time.Second)
			r.peers[0].peer.Detach()
			release()
			r.pass(time.Second)
			if r.dev.aborted != 1 || r.dev.committed != 0 {
				t.Errorf("aborted %d times, committed %d times", r.dev.aborted, r.dev.committed)
			}
		})
	})
}

// An upload whose server loses its right to write is refused, and does not block the next.
func TestUploadLosesAccess(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		g := &guard{}
		r := newRig(t, guarded(g))
		got, done := r.peers[0].begin(to("PUT /5/0/0").as(content.Opaque, firmware(20_000)))
		r.until(func() bool { return r.peers[0].end.Stats().MessagesReceived > 5 })
		g.refuse = func(Operation, dm.Path) bool { return true }
		r.until(func() bool { return *done })
		if got.code != coap.Unauthorized || r.dev.committed != 0 || r.dev.aborted != 1 {
			t.Errorf("answered %v, committed %d, aborted %d times", got.code, r.dev.committed, r.dev.aborted)
		}
		g.refuse = nil
		if got := r.peers[0].do(to("PUT /5/0/0").as(content.Opaque, "next")); got.code != coap.Changed {
			t.Errorf("the next one is answered %v", got.code)
		}
	})
}

// A removed server is refused at the first block, not at the last.
func TestFirstBlockOfARemovedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		r.peers[0].peer.Close()
		got := r.peers[0].do(to("PUT /5/0/0").as(content.Opaque, firmware(20_000)))
		if n := r.peers[0].end.Stats().MessagesReceived; got.code != coap.ServiceUnavailable || n > 1 {
			t.Errorf("answered %v after %d messages", got.code, n)
		}
	})
}

// An upload whose server is removed is dropped, and does not block the next.
func TestUploadOfARemovedServer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.servers = 2
		r := newRig(t, o)
		p := r.peers[0]
		got, done := p.begin(to("PUT /5/0/0").as(content.Opaque, firmware(20_000)))
		r.until(func() bool { return p.end.Stats().MessagesReceived > 5 })
		p.peer.Close()
		r.until(func() bool { return *done })
		if got.code != coap.ServiceUnavailable || r.dev.committed != 0 || r.dev.aborted != 1 {
			t.Errorf("answered %v, committed %d, aborted %d times", got.code, r.dev.committed, r.dev.aborted)
		}
		if got := r.peers[1].do(to("PUT /5/0/0").as(content.Opaque, firmware(4000))); got.code != coap.Changed ||
			r.dev.committed != 1 {
			t.Errorf("the other server's is answered %v, committed %d times", got.code, r.dev.committed)
		}
	})
}

// The value of a stored resource may also arrive in blocks.
func TestWriteOfOpaqueInBlocks(t *testing.T) {
	image := firmware(20_000)
	o := device12
	o.world = func(w *world) {
		clips, err := audioclip.New(audioclip.Config{})
		if err == nil {
			err = clips.Add(0, audioclip.Instance{Clip: dm.Bytes(nil)})
		}
		if err != nil {
			t.Fatal(err)
		}
		w.more = []dm.Object{clips}
	}
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, o)
		if got := r.peers[0].do(to("PUT /3339/0/5522").as(content.Opaque, image)); got.code != coap.Changed {
			t.Fatalf("answered %v %q", got.code, got.body)
		}
		if got := r.peers[0].do(to("GET /3339/0/5522").accepting(content.Opaque)); got.body != image {
			t.Errorf("%d bytes are read", len(got.body))
		}
	})
}

// One server writes 1 MB while another reads: between the arrival of a Read and its answer at most
// one datagram of the transfer is handled or sent, and no server sees a part of the image.
func TestTwoServersOneUploads(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.servers = 2
		o.conn = func(c *coap.ConnConfig) { c.MaxHistory = 16 << 20 }
		r := newRig(t, o)
		writer, reader := r.peers[0], r.peers[1]
		image := firmware(1 << 20)
		got, done := writer.begin(to("PUT /5/0/0").as(content.Opaque, image))
		reads, worst := 0, uint64(0)
		for !*done {
			answer, answered := reader.begin(to("GET /3/0/0").accepting(content.Text))
			before := writer.end.Stats()
			// The loop's turns: a datagram of each socket at a time, in an order that changes.
			for i := reads; !*answered; i++ {
				for j := range 2 {
					if _, err := r.peers[(i+j)%2].end.Receive(1); err != nil {
						t.Fatal(err)
					}
					if r.s.Run(); *answered {
						break
					}
					if _, err := reader.conn.Receive(10); err != nil {
						t.Fatal(err)
					}
					if *answered {
						break
					}
				}
			}
			after := writer.end.Stats()
			worst = max(worst, after.MessagesReceived-before.MessagesReceived, after.MessagesSent-before.MessagesSent)
			if answer.body != "Acme" {
				t.Fatalf("Read is answered %v %q", answer.code, answer.body)
			}
			if r.dev.image != nil && !*done && !bytes.Equal(r.dev.image, []byte(image)) {
				t.Fatal("a part of the image is seen")
			}
			reads++
			if _, err := writer.conn.Receive(10); err != nil {
				t.Fatal(err)
			}
		}
		if got.code != coap.Changed || string(r.dev.image) != image {
			t.Errorf("the write is answered %v, %d bytes", got.code, len(r.dev.image))
		}
		if worst > 1 || reads < 500 {
			t.Errorf("up to %d datagrams of the transfer between a Read and its answer, in %d reads", worst, reads)
		}
	})
}
