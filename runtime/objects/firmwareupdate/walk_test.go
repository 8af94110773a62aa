package firmwareupdate_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

// walk is a device with two servers that do whatever comes to their minds, in any order.
type walk struct {
	*rig
	r       *rand.Rand
	cfg     firmwareupdate.Config
	uploads [2]*dm.Upload
	full    bool // the store
	images  int  // that were begun
	updates int  // Update and Approve that were accepted
	alive   map[string]bool
	history []string
}

func (w *walk) note(what string, err error) {
	w.history = append(w.history, fmt.Sprintf("%s: %v", what, err))
}

func (w *walk) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(w.history, "\n"))
}

// image returns the text of a new image.
func (w *walk) image() string {
	w.images++
	version := fmt.Sprint(w.images)
	w.alive[version] = true
	return "firmware " + version
}

func (w *walk) restart() {
	for i, up := range w.uploads {
		if up != nil {
			up.Abort()
			w.uploads[i] = nil
		}
	}
	w.note("restart", w.update.Close())
	synctest.Wait()
	w.board.fill(false) // New fails otherwise
	w.full = false
	w.board.restart()
	w.rig = boot(w.t, w.board, w.cfg)
}

// over says that no image which was begun until now may be installed any more. What the store does
// not have yet is forgotten by a restart.
func (w *walk) over(err error) {
	if err == nil && !w.full {
		synctest.Wait() // until it is durable
		clear(w.alive)
	}
}

// upload has a server go on with its push, or begin one.
func (w *walk) upload(server int) {
	up := w.uploads[server]
	if up == nil {
		var err error
		up, _, err = w.Model.Snapshot().OpenUpload(context.Background(), dm.Server(dm.ShortServerID(server+1)), dm.ResourcePath(5, 0, 0))
		if w.note(fmt.Sprint("server ", server, " opens"), err); err != nil {
			return
		}
		w.uploads[server] = up
		_, err = up.Write([]byte(w.image()))
		if w.note("first block", err); err != nil {
			up.Abort()
			w.uploads[server] = nil
		}
		return
	}
	switch w.r.IntN(4) {
	case 0:
		up.Abort()
		w.note(fmt.Sprint("server ", server, " gives up"), nil)
	case 1:
		_, err := up.Write([]byte("."))
		if w.note("block", err); err == nil {
			return
		}
		up.Abort()
	default:
		tx, err := w.Model.Begin(context.Background(), dm.Server(dm.ShortServerID(server+1)))
		if err != nil {
			w.fail("Begin: %v", err)
		}
		if err = tx.Accept(up); err == nil {
			err = tx.Commit()
		}
		tx.Rollback()
		w.note(fmt.Sprint("server ", server, " ends"), err)
	}
	w.uploads[server] = nil
}

func (w *walk) step() {
	n := w.r.IntN(16)
	if n == 6 || n == 7 || n == 11 { // what was asked for before is done
		synctest.Wait()
		w.check()
	}
	switch n {
	case 0, 1, 2, 3:
		w.upload(w.r.IntN(2))
	case 4:
		w.note("URI", w.uri("coap://files/x"))
	case 5:
		w.note("bad URI", w.uri("nonsense"))
	case 6:
		err := w.uri("")
		w.over(err)
		w.note("reset by URI", err)
	case 7:
		if w.uploads[0] == nil && w.uploads[1] == nil {
			err := w.rig.upload("\x00")
			w.over(err)
			w.note("reset by Package", err)
		}
	case 8, 9, 10:
		err := w.execute("/5/0/2")
		if err == nil {
			w.updates++
		}
		w.note("Update", err)
	case 11:
		err := w.execute("/5/0/10")
		w.over(err)
		w.note("Cancel", err)
	case 12:
		w.restart()
	case 13:
		w.full = !w.full
		w.board.fill(w.full)
		w.note(fmt.Sprint("the store is full: ", w.full), nil)
	case 14:
		d := time.Duration(w.r.Int64N(int64(2 * time.Minute)))
		time.Sleep(d)
		w.note(fmt.Sprint("after ", d), nil)
	case 15:
		err := w.update.Approve(context.Background())
		if err == nil {
			w.updates++
		}
		w.note("approved", err)
	}
	if w.r.IntN(2) == 0 {
		synctest.Wait()
		w.check()
	}
}

// check compares what servers read with what is durable, and what was installed with what they have
// asked for.
func (w *walk) check() {
	w.t.Helper()
	s := w.update.Status()
	var rec struct{ Phase, Result int64 }
	w.board.Lock()
	value, installs := w.board.records.Values["firmwareupdate"], w.board.installs
	w.board.installs = nil
	w.board.Unlock()
	if value != nil {
		if err := json.Unmarshal(value, &rec); err != nil {
			w.fail("%v", err)
		}
	}
	if want := []int64{0, 1, 1, 1, 2, 2, 3}[rec.Phase]; s.State != want || s.Result != rec.Result {
		w.fail("servers read %+v, durable is %+v", s, rec)
	}
	for _, version := range installs {
		version, _, _ = strings.Cut(version, ".")
		if !w.alive[version] && version != "pulled" {
			w.fail("image %s is installed, although it was cancelled", version)
		}
		if w.updates--; w.updates < 0 {
			w.fail("an image is installed and nobody has asked for it")
		}
	}
	w.updates = min(w.updates, 1) // one that was postponed
}

// TestRandomWalk has two servers do everything in any order, while the store fails, Verify and
// downloads take their time, and the device restarts. In the end an update works.
func TestRandomWalk(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			in(t, func(t *testing.T) {
				b := newBoard()
				w := &walk{r: rand.New(rand.NewPCG(seed, 3)), alive: map[string]bool{}}
				pace := rand.New(rand.NewPCG(seed, 4)) // of the board
				slow := func(ctx context.Context) error {
					b.Lock()
					d := time.Duration(pace.IntN(3)) * 20 * time.Second
					b.Unlock()
					select {
					case <-time.After(d):
						return nil
					case <-ctx.Done():
						return ctx.Err()
					}
				}
				b.restarts = seed%2 == 0
				b.download = func(ctx context.Context, _ string) ([]byte, error) { return []byte("firmware pulled"), slow(ctx) }
				w.cfg = b.config()
				w.cfg.Downloader, w.cfg.Installer = b, slowly{b, slow}
				if seed%3 == 0 {
					w.cfg.Ask = func(*firmwareupdate.Image, time.Time) bool { return true }
				}
				w.rig = boot(t, b, w.cfg)
				for range 200 {
					w.step()
				}
				w.restart()
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				w.check()
				if w.update.Status().State != 0 {
					w.ok("reset", w.rig.upload("\x00"))
					synctest.Wait() // until it is durable
				}
				w.cfg.Ask = nil
				w.restart()
				w.ok("push", w.rig.upload(w.image()))
				time.Sleep(10 * time.Minute)
				w.updates++
				w.ok("Update", w.execute("/5/0/2"))
				time.Sleep(10 * time.Minute)
				w.restart()
				w.check()
				if s := w.update.Status(); s != (firmwareupdate.Status{State: 0, Result: 1}) {
					w.fail("the last update has ended with %+v", s)
				}
			})
		})
		if t.Failed() {
			return
		}
	}
}

// slowly is a board that takes its time to verify.
type slowly struct {
	*board
	wait func(context.Context) error
}

func (s slowly) Verify(ctx context.Context, image *firmwareupdate.Image) error {
	if err := s.wait(ctx); err != nil {
		return err
	}
	return s.board.Verify(ctx, image)
}
