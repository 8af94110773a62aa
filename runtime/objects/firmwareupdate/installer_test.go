package firmwareupdate_test

import (
	"context"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

// faulty is a board of which a function replaces a method of the Installer.
type faulty struct {
	*board
	verify  func(*firmwareupdate.Image) error
	install func() (firmwareupdate.Outcome, error)
}

func (f faulty) Verify(ctx context.Context, image *firmwareupdate.Image) error {
	if f.verify != nil {
		return f.verify(image)
	}
	return f.board.Verify(ctx, image)
}

func (f faulty) Install(ctx context.Context, image *firmwareupdate.Image) (firmwareupdate.Outcome, error) {
	if f.install != nil {
		return f.install()
	}
	return f.board.Install(ctx, image)
}

// What Verify reads from an image can be anything. Texts that servers cannot read are refused: the
// state could not be shown, and the device could not start with them again.
func TestVerifySetsTextsThatCannotBeRead(t *testing.T) {
	for _, text := range []string{strings.Repeat("x", 256), "\xff"} {
		in(t, func(t *testing.T) {
			b := newBoard()
			c := b.config()
			c.Installer = faulty{board: b, verify: func(i *firmwareupdate.Image) error { i.Version = text; return nil }}
			r := boot(t, b, c)
			r.ok("push", r.upload("firmware 2.0"))
			r.shows(0, 8)
			r.ok("close", r.update.Close())
			boot(t, b, c).shows(0, 8)
			c.Installer = faulty{board: b, verify: func(i *firmwareupdate.Image) error { i.Name = strings.Repeat("é", 255); return nil }}
			r = boot(t, b, c)
			r.ok("push", r.upload("firmware 2.0"))
			r.shows(2, 0)
		})
	}
}

// A Verify or an Install that ends its goroutine has failed, and the server can try again.
func TestInstallerEndsItsGoroutine(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		c := b.config()
		ends := true
		end := func() {
			if ends {
				runtime.Goexit()
			}
		}
		c.Installer = faulty{board: b, verify: func(*firmwareupdate.Image) error { end(); return nil },
			install: func() (firmwareupdate.Outcome, error) { end(); return firmwareupdate.Done, nil }}
		r := boot(t, b, c)
		r.ok("push", r.upload("firmware 2.0"))
		r.shows(0, 8)
		ends = false
		r.ok("push", r.upload("firmware 2.0"))
		r.shows(2, 0)
		ends = true
		r.ok("Update", r.execute("/5/0/2"))
		r.shows(2, 8)
		ends = false
		r.ok("Update", r.execute("/5/0/2"))
		r.shows(0, 1)
	})
}

// An image with which Verify ends the program, by a panic or by using up the memory, is verified
// three times and then discarded: the device must not restart for ever.
func TestVerifyEndsTheProgram(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		b.verifying = make(chan struct{})
		r := boot(t, b, b.config())
		r.ok("push", r.upload("firmware 2.0"))
		for range 3 {
			r.shows(1, 0)
			r.ok("close", r.update.Close())
			r = boot(t, b, b.config())
		}
		r.shows(0, 5)
		if len(b.flash.Bytes) > 0 {
			t.Error("the image is still there")
		}
		r.ok("push", r.upload("firmware 2.0"))
		r.shows(1, 0)
		r.ok("close", r.update.Close())
		r = boot(t, b, b.config())
		r.shows(1, 0)
		close(b.verifying)
		r.shows(2, 0)
		if got := b.records.Values["firmwareupdate"]; strings.Contains(string(got), "verified") {
			t.Errorf("the attempts still count: %s", got)
		}
	})
}

// An outcome that does not exist is no success.
func TestUnknownOutcome(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		c := b.config()
		c.Installer = faulty{board: b, install: func() (firmwareupdate.Outcome, error) { return 77, nil }}
		r := boot(t, b, c)
		r.ok("push", r.upload("firmware 2.0"))
		synctest.Wait()
		r.ok("Update", r.execute("/5/0/2"))
		r.shows(2, 8)
	})
}

// A Verify and an Install that never return block nothing but their own update. Close does not wait
// for them.
func TestInstallerBlocks(t *testing.T) {
	in(t, func(t *testing.T) {
		b := newBoard()
		c := b.config()
		stuck := make(chan struct{})
		defer close(stuck)
		c.Installer = faulty{board: b, verify: func(*firmwareupdate.Image) error { <-stuck; return nil }}
		r := boot(t, b, c)
		r.ok("push", r.upload("firmware 2.0"))
		r.shows(1, 0)
		r.ok("Cancel", r.execute("/5/0/10"))
		r.shows(0, 10)
		if err := r.upload("firmware 3.0"); err == nil || !strings.Contains(err.Error(), "not ended yet") {
			t.Errorf("a push while Verify still runs: %v", err)
		}
		r.ok("reset", r.upload("\x00"))
		r.ok("close", r.update.Close())

		c.Installer = faulty{board: b, install: func() (firmwareupdate.Outcome, error) { <-stuck; return 0, nil }}
		r = boot(t, b, c)
		r.ok("push", r.upload("firmware 3.0"))
		synctest.Wait()
		r.ok("Update", r.execute("/5/0/2"))
		r.shows(3, 0)
		r.ok("close", r.update.Close())
		r = boot(t, b, b.config())
		r.shows(2, 8)
	})
}
