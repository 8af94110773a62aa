package firmwareupdate

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/objects/internal/firmware"
)

// work is a download, a check or an installation in the background. There is one at a time.
type work struct {
	cancel    context.CancelFunc
	done      chan struct{}
	abandoned bool // its end is of no interest; guarded by Updater.mu
}

func (w *work) abandon() {
	w.abandoned = true
	w.cancel()
}

// waitForWork waits until nothing runs.
func (u *Updater) waitForWork() {
	for {
		u.mu.Lock()
		w := u.work
		u.mu.Unlock()
		if w == nil {
			return
		}
		<-w.done
	}
}

// start starts a work, unless the state has changed since the step. do returns the event of its
// end, and false if there is none.
func (u *Updater) start(s *step, do func(context.Context, *Image) (firmware.Event, bool)) {
	u.mu.Lock()
	late := u.seq != s.seq
	u.mu.Unlock()
	if late {
		return
	}
	u.waitForWork()
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.seq != s.seq || u.ctx.Err() != nil {
		return
	}
	ctx, cancel := context.WithCancel(u.ctx)
	w := &work{cancel: cancel, done: make(chan struct{})}
	u.work = w
	image := u.image()
	go func() {
		defer cancel()
		e, ended := do(ctx, image)
		f := firmware.Facts{}
		if ended {
			f = u.facts(e.Kind, image)
		}
		u.mu.Lock()
		defer u.mu.Unlock()
		defer close(w.done)
		u.work = nil
		if !ended || w.abandoned {
			return
		}
		u.next(e, f, func(r *record) {
			r.Name, r.Version = image.Name, image.Version
			switch {
			case e.Kind == firmware.FetchEnded:
				r.Size = u.cfg.Storage.Content().Size()
			case r.Phase == firmware.Idle:
				r.Size, r.Until = 0, 0
			}
		})
	}()
}

// fetch downloads from Package URI.
func (u *Updater) fetch(ctx context.Context, image *Image) (firmware.Event, bool) {
	err := u.checkURI(image.URI)
	if err == nil {
		err = u.cfg.Downloader.Download(ctx, image.URI, u.cfg.Storage)
	}
	if err != nil {
		u.cfg.Logger.Warn("the firmware image cannot be downloaded", "err", err)
		return firmware.Event{Kind: firmware.FetchFailed, Result: resultOf(err, firmware.ConnectionLost)}, true
	}
	return firmware.Event{Kind: firmware.FetchEnded}, true
}

// checkURI returns why a URI cannot be downloaded. The text does not contain the URI, which may
// hold a token.
func (u *Updater) checkURI(uri string) error {
	parsed, err := url.Parse(uri)
	switch {
	case err != nil || parsed.Scheme == "" || parsed.Host == "":
		return Fail(int64(firmware.InvalidURI), errors.New("the resource Package URI is no absolute URI"))
	case parsed.User != nil:
		return Fail(int64(firmware.InvalidURI), errors.New("the resource Package URI contains a user name"))
	case u.cfg.Downloader == nil || !slices.Contains(u.cfg.Downloader.Schemes(), parsed.Scheme):
		return Fail(int64(firmware.UnsupportedProtocol), fmt.Errorf("the scheme %q is not supported", parsed.Scheme))
	}
	return nil
}

// verify checks the image.
func (u *Updater) verify(ctx context.Context, image *Image) (firmware.Event, bool) {
	if err := u.cfg.Installer.Verify(ctx, image); err != nil {
		u.cfg.Logger.Warn("the firmware image is refused", "err", err)
		return firmware.Event{Kind: firmware.VerifyFailed, Result: resultOf(err, firmware.IntegrityCheckFailed)}, true
	}
	return firmware.Event{Kind: firmware.VerifyPassed}, true
}

// install installs the image.
func (u *Updater) install(ctx context.Context, image *Image) (firmware.Event, bool) {
	outcome, err := u.cfg.Installer.Install(ctx, image)
	switch {
	case err != nil:
		u.cfg.Logger.Warn("the firmware image cannot be installed", "err", err)
		return firmware.Event{Kind: firmware.InstallFailed, Result: resultOf(err, firmware.UpdateFailed)}, true
	case outcome == Restarting:
		return firmware.Event{}, false
	}
	return firmware.Event{Kind: firmware.InstallEnded}, true
}
