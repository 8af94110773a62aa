package firmwareupdate_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

func TestPush(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		r := boot(t, b, b.config())
		r.ok("push", r.upload("firm", "ware", " 2.0"))
		r.reported("1/0", "1/0", "2/0")
		if got := r.Read("/5/0"); !slices.Contains(got, "/5/0/7=2.0") || !slices.Contains(got, "/5/0/6=probe") {
			t.Errorf("the instance is %v", got)
		}
		r.ok("Update", r.execute("/5/0/2"))
		r.reported("3/0", "0/1")
		if b.running != "2.0" || len(b.flash.Bytes) > 0 {
			t.Errorf("%q runs, and %d bytes are left", b.running, len(b.flash.Bytes))
		}
		// The next update begins with the initial result.
		r.ok("push", r.Write("/5/0/0", dm.OpaqueValue([]byte("firmware 3.0"))))
		r.shows(2, 0)
	})
}

// A transfer that starts again with its first block replaces what was received.
func TestPushStartsAgain(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		r := boot(t, b, b.config())
		up, _, err := r.Model.Snapshot().OpenUpload(context.Background(), dm.Server(1), dm.ResourcePath(5, 0, 0))
		r.ok("open", err)
		_, err = up.Write([]byte("firmware 1"))
		r.ok("write", err)
		r.refused("a second writer", r.upload("firmware 9"), dm.ServiceUnavailable)
		up.Abort()
		r.ok("push", r.upload("firmware 2.0"))
		r.shows(2, 0)
		if string(b.flash.Bytes) != "firmware 2.0" {
			t.Errorf("the image is %q", b.flash.Bytes)
		}
	})
}

// A Replace of the instance without Package URI, which is mandatory, resets nothing.
func TestReplace(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		r := boot(t, b, b.config())
		r.ok("push", r.upload("firmware 2.0"))
		r.shows(2, 0)
		entries := []dm.Entry{{Path: dm.ResourcePath(5, 0, 11), Value: dm.IntegerValue(1)}}
		err := r.Change(func(tx *dm.Transaction) error { return tx.Write(dm.InstancePath(5, 0), dm.Replace, entries) })
		r.refused("Replace with a setting", err, dm.BadRequest)
		r.shows(2, 0)
	})
}

func TestReset(t *testing.T) {
	for name, reset := range map[string]func(r *rig) error{
		"a zero byte in Package":  func(r *rig) error { return r.upload("\x00") },
		"an empty Package":        func(r *rig) error { return r.upload() },
		"an empty block":          func(r *rig) error { return r.upload("") },
		"an empty Package URI":    func(r *rig) error { return r.uri("") },
		"a zero byte, not pushed": func(r *rig) error { return r.Write("/5/0/0", dm.OpaqueValue([]byte{0})) },
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				b := newBoard()
				c := b.config()
				c.Downloader = b
				b.download = func(ctx context.Context, _ string) ([]byte, error) { <-ctx.Done(); return nil, ctx.Err() }
				r := boot(t, b, c)
				r.ok("reset when idle", reset(r))
				r.shows(0, 0)
				r.ok("push", r.upload("firmware 2.0"))
				r.shows(2, 0)
				r.refused("another image", r.upload("firmware 3.0"), dm.MethodNotAllowed)
				err := r.uri("coap://files/3")
				r.refused("a URI", err, dm.MethodNotAllowed)
				if !strings.HasPrefix(err.Error(), "/5/0/1: ") {
					t.Errorf("the refusal does not name the resource: %v", err)
				}
				r.shows(2, 0)
				r.ok("reset", reset(r))
				r.shows(0, 0)
				if len(b.flash.Bytes) > 0 {
					t.Error("the image is still there")
				}
				r.ok("URI", r.uri("coap://files/3"))
				r.shows(1, 0)
				r.ok("reset of a download", reset(r))
				r.shows(0, 0)
				if got := r.Value("/5/0/1").Text(); got != "" {
					t.Errorf("Package URI is %q", got)
				}
				b.verifying = make(chan struct{})
				r.ok("push", r.upload("firmware 4.0"))
				r.shows(1, 0)
				r.ok("reset of a check", reset(r))
				r.shows(0, 0)
				if len(b.installs) > 0 {
					t.Errorf("installed %v", b.installs)
				}
			})
		})
	}
}

// An image may begin with a zero byte, also in a block of its own.
func TestImageThatBeginsWithZero(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		r := boot(t, b, b.config())
		r.ok("push", r.upload("\x00", "abc"))
		r.shows(0, 5) // it is no firmware
		r.reported("1/0", "1/0", "0/5")
	})
}

func TestPull(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		c := b.config()
		c.Downloader = b
		b.download = func(_ context.Context, uri string) ([]byte, error) {
			return []byte("firmware " + uri[len("coap://files/"):]), nil
		}
		r := boot(t, b, c)
		if got := r.Read("/5/0/8"); !slices.Equal(got, []string{"/5/0/8/0=0", "/5/0/8/1=3"}) {
			t.Errorf("protocols %v", got)
		}
		if got := r.Value("/5/0/9").Integer(); got != 2 {
			t.Errorf("delivery method %d", got)
		}
		r.ok("URI", r.uri("coap://files/2.0"))
		r.reported("1/0", "1/0", "2/0")
		r.ok("Update", r.execute("/5/0/2"))
		r.reported("3/0", "0/1")
		if b.running != "2.0" {
			t.Errorf("%q runs", b.running)
		}
	})
}

// Every result of a failure, and the state that it leaves.
func TestResults(t *testing.T) {
	cause := errors.New("injected")
	for name, c := range map[string]struct {
		prepare       func(b *board)
		uri           string // pull; empty means push
		state, result int64
	}{
		"full storage":           {func(b *board) { b.flash.Err = syscall.ENOSPC }, "", 0, 2},
		"no memory":              {func(b *board) { b.flash.Err = firmwareupdate.Fail(3, cause) }, "", 0, 3},
		"write error":            {func(b *board) { b.flash.Err = cause }, "", 0, 8},
		"bad checksum":           {func(b *board) { b.verifyErr = cause }, "", 0, 5},
		"wrong type":             {func(b *board) { b.verifyErr = firmwareupdate.Fail(6, cause) }, "", 0, 6},
		"unknown result":         {func(b *board) { b.verifyErr = firmwareupdate.Fail(77, cause) }, "", 0, 8},
		"success as a failure":   {func(b *board) { b.verifyErr = firmwareupdate.Fail(1, cause) }, "", 0, 8},
		"installation":           {func(b *board) { b.installErr = cause }, "", 2, 8},
		"installation, checksum": {func(b *board) { b.installErr = firmwareupdate.Fail(5, cause) }, "", 0, 5},
		"lost connection":        {func(b *board) {}, "coap://files/none", 0, 4},
		"full storage, pull":     {func(b *board) { b.flash.Err = syscall.ENOSPC }, "coap://files/2.0", 0, 2},
		"no URI":                 {func(b *board) {}, "firmware.bin", 0, 7},
		"bad URI":                {func(b *board) {}, "coap://[::1", 0, 7},
		"credentials in the URI": {func(b *board) {}, "coap://me:secret@files/2.0", 0, 7},
		"scheme":                 {func(b *board) {}, "ftp://files/2.0", 0, 9},
		"file scheme":            {func(b *board) {}, "file://files/2.0", 0, 9},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T) {
				b := newBoard()
				cfg := b.config()
				cfg.Downloader = b
				b.download = func(_ context.Context, uri string) ([]byte, error) {
					if version := uri[len("coap://files/"):]; version != "none" {
						return []byte("firmware " + version), nil
					}
					return nil, cause
				}
				c.prepare(b)
				r := boot(t, b, cfg)
				if c.uri != "" {
					r.ok("URI", r.uri(c.uri))
				} else {
					_ = r.upload("firmware 2.0")
				}
				synctest.Wait()
				if r.update.Status().State == 2 {
					r.ok("Update", r.execute("/5/0/2"))
				}
				r.shows(c.state, c.result)
				if b.running != "1.0" {
					t.Errorf("%q runs", b.running)
				}
			})
		})
	}
}

func TestRefusals(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		b.restarts = true
		c := b.config()
		busy := true
		c.Busy, c.MaxSize = func() bool { return busy }, 100
		r := boot(t, b, c)
		r.refused("Update when idle", r.execute("/5/0/2"), dm.MethodNotAllowed)
		r.refused("Cancel when idle", r.execute("/5/0/10"), dm.MethodNotAllowed)
		r.refused("a URI without a downloader", r.uri("coap://files/2"), dm.MethodNotAllowed)
		r.refused("approval", r.update.Approve(context.Background()), dm.MethodNotAllowed)
		r.shows(0, 0)
		r.refused("a large image", r.upload(strings.Repeat("x", 101)), dm.RequestEntityTooLarge)
		r.shows(0, 2)
		r.ok("push", r.upload("firmware 2.0"))
		r.shows(2, 0)
		r.refused("Update while something else updates", r.execute("/5/0/2"), dm.MethodNotAllowed)
		r.shows(2, 0)
		busy = false
		r.ok("Update", r.execute("/5/0/2"))
		r.shows(3, 0)
		r.refused("a second Update", r.execute("/5/0/2"), dm.MethodNotAllowed)
		r.refused("Cancel", r.execute("/5/0/10"), dm.MethodNotAllowed)
		r.refused("Package", r.upload("firmware 3.0"), dm.MethodNotAllowed)
		r.refused("a reset by Package", r.upload("\x00"), dm.MethodNotAllowed)
		r.refused("a reset by Package URI", r.uri(""), dm.MethodNotAllowed)
		r.shows(3, 0)
		if !slices.Equal(b.installs, []string{"2.0"}) {
			t.Errorf("installed %v", b.installs)
		}
	})
}

func TestCancel(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		r := boot(t, b, b.config())
		r.ok("push", r.upload("firmware 2.0"))
		r.shows(2, 0)
		r.ok("Cancel", r.execute("/5/0/10"))
		r.shows(0, 10)
		if len(b.flash.Bytes) > 0 {
			t.Error("the image is still there")
		}
		b.verifying = make(chan struct{})
		r.ok("push", r.upload("firmware 3.0"))
		r.shows(1, 0)
		r.ok("Cancel", r.execute("/5/0/10"))
		r.shows(0, 10)
	})
}

// A push that was cancelled writes nothing to the image that follows it.
func TestCancelDuringPush(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		c := b.config()
		c.Downloader = b
		b.download = func(context.Context, string) ([]byte, error) { return []byte("firmware 3.0"), nil }
		for name, end := range map[string]func(*rig, *dm.Upload) error{
			"the next block": func(_ *rig, up *dm.Upload) error { _, err := up.Write([]byte("more")); return err },
			"the end of image": func(r *rig, up *dm.Upload) error {
				return r.Change(func(tx *dm.Transaction) error { return tx.Accept(up) })
			},
			"nothing": func(*rig, *dm.Upload) error { return dm.MethodNotAllowed },
		} {
			r := boot(t, b, c)
			r.ok("reset", r.uri(""))
			up, _, err := r.Model.Snapshot().OpenUpload(context.Background(), dm.Server(1), dm.ResourcePath(5, 0, 0))
			r.ok("open", err)
			_, err = up.Write([]byte("firmware 2"))
			r.ok("write", err)
			r.ok("Cancel", r.execute("/5/0/10"))
			r.shows(0, 10)
			r.ok("URI", r.uri("coap://files/3.0"))
			r.refused(name, end(r, up), dm.MethodNotAllowed)
			up.Abort()
			r.shows(2, 0)
			if string(b.flash.Bytes) != "firmware 3.0" {
				t.Errorf("the image is %q", b.flash.Bytes)
			}
			r.ok("close", r.update.Close())
		}
	})
}

func TestAutomaticUpgrade(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		r := boot(t, b, b.config())
		r.ok("Automatic Upgrade", r.Write("/5/0/14", dm.BooleanValue(true)))
		r.ok("push", r.upload("firmware 2.0"))
		r.reported("1/0", "1/0", "3/0", "0/1")
		if b.running != "2.0" {
			t.Errorf("%q runs", b.running)
		}
	})
}

func TestDeferral(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		c := b.config()
		var asked []time.Time
		c.Ask = func(_ *firmwareupdate.Image, until time.Time) bool { asked = append(asked, until); return true }
		r := boot(t, b, c)
		r.ok("push", r.upload("firmware 2.0"))
		synctest.Wait()
		r.ok("Update", r.execute("/5/0/2"))
		r.shows(2, 11)
		<-time.After(24 * time.Hour)
		r.shows(2, 11) // without a limit
		r.ok("approval", r.update.Approve(context.Background()))
		r.shows(0, 1)

		r.ok("Maximum Defer Period", r.Write("/5/0/13", dm.UnsignedValue(3600)))
		r.ok("push", r.upload("firmware 3.0"))
		synctest.Wait()
		began := time.Now()
		r.ok("Update", r.execute("/5/0/2"))
		<-time.After(30 * time.Minute)
		r.ok("Update again", r.execute("/5/0/2"))
		r.shows(2, 11)
		// The period continues over a restart.
		r.ok("close", r.update.Close())
		r = boot(t, b, c)
		r.shows(2, 11)
		if got := r.Value("/5/0/13").Unsigned(); got != 3600 {
			t.Errorf("Maximum Defer Period is %d after the restart", got)
		}
		<-time.After(time.Until(began.Add(time.Hour - time.Second)))
		r.shows(2, 11)
		<-time.After(2 * time.Second)
		r.shows(0, 1)
		if b.running != "3.0" || len(asked) != 3 || !asked[0].IsZero() || !asked[1].Equal(began.Add(time.Hour)) {
			t.Errorf("%q runs, asked %v", b.running, asked)
		}

		r.ok("no deferral", r.Write("/5/0/13", dm.UnsignedValue(0)))
		r.ok("push", r.upload("firmware 4.0"))
		synctest.Wait()
		r.ok("Update", r.execute("/5/0/2"))
		r.shows(0, 1)
	})
}

// A state that cannot be stored is not reported, and nothing is installed.
func TestStoreFails(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		r := boot(t, b, b.config())
		r.ok("push", r.upload("firmware 2.0"))
		r.shows(2, 0)
		b.fill(true)
		r.refused("Update", r.execute("/5/0/2"), dm.InternalServerError)
		r.shows(2, 0)
		b.fill(false)
		<-time.After(2 * time.Minute)
		r.shows(2, 8)
		if len(b.installs) > 0 {
			t.Errorf("installed %v", b.installs)
		}
		r.ok("Update", r.execute("/5/0/2"))
		r.shows(0, 1)
	})
}

func TestNewRefuses(t *testing.T) {
	_, err := firmwareupdate.New(firmwareupdate.Config{NoPush: true, MaxSize: -1})
	for _, want := range []string{"Installer", "Storage", "NoPush", "MaxSize"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want one that names %s", err, want)
		}
	}
	b := newBoard()
	for _, damaged := range []string{"", "{", `{"phase":9}`} {
		b.records.Values["firmwareupdate"] = []byte(damaged)
		if _, err := firmwareupdate.New(b.config()); err == nil {
			t.Errorf("the record %q is accepted", damaged)
		}
	}
}

func TestBasicAndOneWay(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		c := b.config()
		c.Basic, c.NoPush, c.Downloader = true, true, b
		r := boot(t, b, c)
		for _, p := range []string{"/5/0/10", "/5/0/11", "/5/0/12", "/5/0/13", "/5/0/14"} {
			if r.Model.Snapshot().Has(dm.ResourcePath(5, 0, r.resource(p))) {
				t.Errorf("%s exists", p)
			}
		}
		if got := r.Value("/5/0/9").Integer(); got != 0 {
			t.Errorf("delivery method %d", got)
		}
		r.refused("push", r.upload("firmware 2.0"), dm.MethodNotAllowed)
		r.ok("a reset by Package", r.upload("\x00"))
		r.shows(0, 0)
	})
}

func (r *rig) resource(p string) dm.ResourceID {
	r.t.Helper()
	path, err := dm.ParsePath(p)
	r.ok(p, err)
	return path.Resource()
}
