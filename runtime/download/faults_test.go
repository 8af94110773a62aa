package download_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io/fs"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
)

// TestServerFaults shows the outcome of each fault of a server: an error of a stated kind, or the
// whole content.
func TestServerFaults(t *testing.T) {
	const size, forever = 100_000, 1 << 30
	type fault = lwm2mserver.FileFault
	late := func(q lwm2mserver.FileRequest) bool { return q.HTTP || q.Offset >= 50_000 }
	const whole = download.Kind(100)
	for _, c := range []struct {
		name  string
		only  string // a scheme, "" for all
		n     int
		fault fault
		match func(lwm2mserver.FileRequest) bool
		want  download.Kind
	}{
		{"requests are lost", "coap", 3, fault{Drop: true}, nil, whole},
		{"the connection breaks at first", "", 3, fault{Drop: true}, nil, whole},
		{"the connection breaks later", "", 3, fault{Break: true}, late, whole},
		{"the connection breaks always", "", forever, fault{Drop: true}, nil, download.ConnectionLost},
		{"a response takes 40 s", "", 1, fault{Delay: 40 * time.Second}, late, whole},
		{"a response takes an hour, once", "", 1, fault{Delay: time.Hour}, late, whole},
		{"a response takes an hour, always", "coap", forever, fault{Delay: time.Hour}, late, download.ConnectionLost},
		{"the server is busy", "", 2, fault{Wait: 30}, nil, whole},
		{"the server is always busy", "", forever, fault{Wait: 30}, nil, download.ConnectionLost},
		{"5.00 once", "", 1, fault{Code: coap.InternalServerError}, nil, whole},
		{"4.04", "", forever, fault{Code: coap.NotFound}, nil, download.InvalidURI},
		{"4.04 in the middle", "coap", forever, fault{Code: coap.NotFound}, late, download.InvalidURI},
		{"4.03", "", forever, fault{Code: coap.Forbidden}, nil, download.InvalidURI},
		{"4.06", "", forever, fault{Code: coap.NotAcceptable}, nil, download.UnsupportedType},
		{"4.00 in the middle, once", "coap", 1, fault{Code: coap.BadRequest}, late, whole},
		{"4.00 in the middle, always", "coap", forever, fault{Code: coap.BadRequest}, late, download.Inconsistent},
		{"the ETag changes once", "coap", 1, fault{ETag: "other"}, late, whole},
		{"the ETag changes always", "coap", forever, fault{ETag: "other"},
			func(q lwm2mserver.FileRequest) bool { return q.Offset/1024%2 == 1 }, download.Inconsistent},
		{"it announces more than it sends", "coap", forever, fault{Size: size + 5000}, nil, download.Inconsistent},
		{"it announces more than it sends", "http", forever, fault{Size: size + 5000}, nil, download.Inconsistent},
		{"it announces less than it sends", "coap", forever, fault{Size: size - 5000}, nil, download.Inconsistent},
		{"it announces the bound", "coap", forever, fault{Size: 1<<20 + 1}, nil, download.NoSpace},
		{"it announces the bound", "http", forever, fault{Size: 1<<20 + 1}, nil, download.NoSpace},
		{"it never ends", "", forever, fault{Endless: true}, nil, download.NoSpace},
		{"a redirect to a file", "http", forever, fault{Redirect: "file:///etc/passwd"}, nil, download.InvalidURI},
		{"a redirect to CoAP", "http", forever, fault{Redirect: "coap://files.example/fw.bin"}, nil, download.InvalidURI},
		{"a redirect with a user", "http", forever, fault{Redirect: "http://me:secret@files.example/fw.bin"}, nil, download.InvalidURI},
		{"a redirect to itself", "http", forever, fault{Redirect: "/fw.bin"}, nil, download.InvalidURI},
		{"a redirect", "http", 3, fault{Redirect: "http://files.example:80/fw.bin"}, nil, whole},
		{"the content is compressed", "http", forever, fault{Encoding: "gzip"}, nil, download.UnsupportedType},
	} {
		for _, scheme := range schemes {
			if c.only != "" && c.only != scheme {
				continue
			}
			t.Run(scheme+"/"+c.name, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					r := newRig(t)
					r.cfg.MaxSize = 1 << 20
					r.serve(lwm2mserver.File{Content: image{}, Size: size})
					r.files.DisturbFiles(c.n, c.fault, c.match)
					sink := &disk{}
					err := r.get(r.client(), download.Request{URI: uri(scheme) + "?token=secret", Sink: sink})
					if c.want == whole {
						if err != nil || !bytes.Equal(sink.content(), image{}.bytes(size)) {
							t.Errorf("%v, %d bytes", err, len(sink.content()))
						}
						return
					}
					if got := kindOf(t, err); got != c.want {
						t.Errorf("the outcome is %v: %v", got, err)
					}
					if text := err.Error(); strings.Contains(text, "secret") || !strings.Contains(text, "/fw.bin") {
						t.Errorf("the error is %q", text)
					}
				})
			})
		}
	}
}

// TestHTTPWithoutRanges continues at a server that always sends the whole content.
func TestHTTPWithoutRanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const size = 100_000
		r.serve(lwm2mserver.File{Content: image{}, Size: size})
		r.files.DisturbFiles(1, lwm2mserver.FileFault{Break: true}, nil)
		r.files.DisturbFiles(1, lwm2mserver.FileFault{WholeFile: true}, nil)
		sink := &disk{}
		err := r.get(r.client(), download.Request{URI: uri("http"), Sink: sink})
		if err != nil || !bytes.Equal(sink.content(), image{}.bytes(size)) {
			t.Errorf("%v, %d bytes", err, len(sink.content()))
		}
	})
}

// TestContentChanges replaces the content while the download is suspended.
func TestContentChanges(t *testing.T) {
	for name, tagged := range map[string]bool{"with an ETag": true, "without an ETag": false} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig, uri string) {
				const size = 100_000
				r.cfg.Rate = 10_000
				r.serve(lwm2mserver.File{Content: image{}, Size: size, NoETag: !tagged})
				sink, saved := &disk{}, download.Record{}
				save := func(rec download.Record) error { saved = rec; return nil }
				c := r.client()
				d, err := c.Start(download.Request{URI: uri, Sink: sink, Save: save})
				r.check(err)
				time.Sleep(5 * time.Second)
				d.Cancel()
				if err := d.Wait(t.Context()); !errors.Is(err, download.ErrCancelled) {
					t.Fatal(err)
				}
				if saved.Offset == 0 || saved.Complete || (saved.ETag != "") != tagged {
					t.Fatalf("the record is %+v", saved)
				}
				r.serve(lwm2mserver.File{Content: image{7}, Size: size + 10, NoETag: !tagged})
				err = r.get(c, download.Request{URI: uri, Sink: sink, Record: saved, Save: save})
				if err != nil || !bytes.Equal(sink.content(), image{7}.bytes(size+10)) {
					t.Errorf("%v, %d bytes", err, len(sink.content()))
				}
			})
		})
	}
}

// TestContentShrinks replaces the content by content that ends before the next byte.
func TestContentShrinks(t *testing.T) {
	for name, tagged := range map[string]bool{"with an ETag": true, "without an ETag": false} {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, r *rig, uri string) {
				r.cfg.Rate = 10_000
				r.serve(lwm2mserver.File{Content: image{}, Size: 100_000, NoETag: !tagged})
				sink, c := &disk{}, r.client()
				d, err := c.Start(download.Request{URI: uri, Sink: sink})
				r.check(err)
				time.Sleep(5 * time.Second)
				c.Suspend()
				time.Sleep(time.Second)
				r.serve(lwm2mserver.File{Content: image{7}, Size: 20_000, NoETag: !tagged})
				c.Resume()
				if err := d.Wait(t.Context()); err != nil || !bytes.Equal(sink.content(), image{7}.bytes(20_000)) {
					t.Errorf("%v, %d bytes", err, len(sink.content()))
				}
			})
		})
	}
}

// TestChangeOnBusyServer completes a download whose content changes near its end, from a server
// that is busy more than Retry.Attempts times until as much of the new content is there.
func TestChangeOnBusyServer(t *testing.T) {
	for _, scheme := range []string{"coap", "coap+tcp"} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				const size = 300_000
				r.cfg.Rate = 10_000
				r.serve(lwm2mserver.File{Content: image{}, Size: size})
				sink := &disk{}
				d, err := r.client().Start(download.Request{URI: uri(scheme), Sink: sink})
				r.check(err)
				time.Sleep(25 * time.Second)
				r.files.DisturbFiles(1, lwm2mserver.FileFault{Wait: 1}, nil)
				time.Sleep(5 * time.Second)
				r.serve(lwm2mserver.File{Content: image{7}, Size: size})
				n := 0
				r.files.DisturbFiles(1<<30, lwm2mserver.FileFault{Wait: 1}, func(lwm2mserver.FileRequest) bool {
					n++
					return n%3 == 0
				})
				if err := d.Wait(t.Context()); err != nil || !bytes.Equal(sink.content(), image{7}.bytes(size)) {
					t.Errorf("%v, %d bytes", err, len(sink.content()))
				}
			})
		})
	}
}

// TestRefusedBlock shows that a refused block costs no byte that is there already.
func TestRefusedBlock(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		const size = 100_000
		r.serve(lwm2mserver.File{Content: image{}, Size: size})
		r.files.DisturbFiles(3, lwm2mserver.FileFault{Code: coap.BadRequest}, func(q lwm2mserver.FileRequest) bool { return q.Offset >= 50_000 })
		sink := &disk{}
		if err := r.get(r.client(), download.Request{URI: uri("coap"), Sink: sink}); err != nil || !bytes.Equal(sink.content(), image{}.bytes(size)) {
			t.Errorf("%v, %d bytes", err, len(sink.content()))
		}
		if r.down > size*12/10 {
			t.Errorf("%d bytes were sent for %d", r.down, size)
		}
	})
}

// TestCorruptContent shows that a download does not notice content that has been damaged on the
// way: the checksum of the caller does.
func TestCorruptContent(t *testing.T) {
	each(t, func(t *testing.T, r *rig, uri string) {
		const size = 100_000
		r.serve(lwm2mserver.File{Content: image{}, Size: size})
		r.files.DisturbFiles(1<<30, lwm2mserver.FileFault{Corrupt: true}, nil)
		sink := &disk{}
		r.check(r.get(r.client(), download.Request{URI: uri, Sink: sink}))
		got, want := sink.content(), image{}.bytes(size)
		if len(got) != size || sha256.Sum256(got) == sha256.Sum256(want) {
			t.Errorf("%d bytes with the checksum of the image", len(got))
		}
		for i := range got {
			if damaged := got[i] != want[i]; damaged != (i%1024 == 0) {
				t.Fatalf("byte %d is damaged: %v", i, damaged)
			}
		}
	})
}

// TestDelayedBlocks delays requests for a file by Server.Disturb, as it does with other requests.
func TestDelayedBlocks(t *testing.T) {
	for _, scheme := range []string{"coap", "coap+tcp"} {
		t.Run(scheme, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r := newRig(t)
				r.serve(lwm2mserver.File{Content: image{}, Size: 5000})
				isFile := func(q lwm2mserver.Request) bool { return q.Path == "/fw.bin" }
				r.files.Disturb(1, lwm2mserver.Fault{Delay: 10 * time.Second}, isFile)
				r.files.DisturbFiles(1, lwm2mserver.FileFault{Delay: 5 * time.Second}, nil)
				sink, began := &disk{}, time.Now()
				r.check(r.get(r.client(), download.Request{URI: uri(scheme), Sink: sink}))
				if took := time.Since(began); took < 15*time.Second || took > 17*time.Second || !bytes.Equal(sink.content(), image{}.bytes(5000)) {
					t.Errorf("%d bytes in %v", len(sink.content()), took)
				}
			})
		})
	}
}

// TestSinkFails shows which kind an error of a sink is.
func TestSinkFails(t *testing.T) {
	for err, want := range map[error]download.Kind{
		&fs.PathError{Op: "write", Path: "fw.bin", Err: syscall.ENOSPC}: download.NoSpace,
		syscall.ENOMEM:         download.OutOfMemory,
		errors.New("bad cell"): download.Failed,
		&download.Error{Kind: download.UnsupportedType, Err: errors.New("not an image")}: download.UnsupportedType,
	} {
		each(t, func(t *testing.T, r *rig, uri string) {
			r.serve(lwm2mserver.File{Content: image{}, Size: 100_000})
			if got := r.get(r.client(), download.Request{URI: uri, Sink: &disk{err: err}}); kindOf(t, got) != want {
				t.Errorf("%v, want %v", got, want)
			}
			failing := func(rec download.Record) error {
				if rec.Offset > 0 {
					return err
				}
				return nil
			}
			if got := r.get(r.client(), download.Request{URI: uri, Sink: &disk{}, Save: failing}); kindOf(t, got) != want {
				t.Errorf("saving: %v, want %v", got, want)
			}
		})
	}
}

// TestTurns runs one download at a time, and lets others run while one waits for its next attempt.
func TestTurns(t *testing.T) {
	each(t, func(t *testing.T, r *rig, uri string) {
		r.cfg.MaxConcurrent, r.cfg.Rate = 1, 10_000
		r.serve(lwm2mserver.File{Content: image{}, Size: 200_000})
		c := r.client()
		a, err := c.Start(download.Request{URI: uri, Sink: &disk{}})
		r.check(err)
		b, err := c.Start(download.Request{URI: uri, Sink: &disk{}})
		r.check(err)
		time.Sleep(5 * time.Second)
		if a.Progress().State != download.Receiving || b.Progress().State != download.Queued {
			t.Errorf("%v and %v", a.Progress(), b.Progress())
		}
		a.Suspend()
		time.Sleep(5 * time.Second)
		if a.Progress().State != download.Suspended || b.Progress().State != download.Receiving {
			t.Errorf("%v and %v", a.Progress(), b.Progress())
		}
		a.Resume()
		r.check(b.Wait(t.Context()))
		r.check(a.Wait(t.Context()))
	})
}

// TestClose ends downloads in every state.
func TestClose(t *testing.T) {
	each(t, func(t *testing.T, r *rig, uri string) {
		r.cfg.Rate = 1000
		r.serve(lwm2mserver.File{Content: image{}, Size: 100_000})
		c := r.client()
		var all []*download.Download
		for range 4 {
			d, err := c.Start(download.Request{URI: uri, Sink: &disk{}})
			r.check(err)
			all = append(all, d)
		}
		time.Sleep(5 * time.Second)
		all[0].Suspend()
		time.Sleep(time.Second)
		late, err := c.Start(download.Request{URI: uri, Sink: &disk{}})
		r.check(err)
		r.check(c.Close())
		for _, d := range append(all, late) {
			if err := d.Wait(context.Background()); !errors.Is(err, download.ErrClosed) {
				t.Error(err)
			}
		}
		if _, err := c.Start(download.Request{URI: uri, Sink: &disk{}}); !errors.Is(err, download.ErrClosed) {
			t.Error(err)
		}
	})
}
