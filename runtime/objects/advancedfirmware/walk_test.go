package advancedfirmware_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/advancedfirmware"
)

// walk is a device with a server that does whatever comes to its mind, in any order.
type walk struct {
	*rig
	r       *rand.Rand
	cfg     advancedfirmware.Config
	full    bool // the store
	images  int
	updates int // that were accepted
	history []string
}

func (w *walk) note(what string, err error) error {
	w.history = append(w.history, fmt.Sprintf("%s: %v", what, err))
	return err
}

func (w *walk) fail(format string, args ...any) {
	w.t.Helper()
	w.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), strings.Join(w.history, "\n"))
}

func (w *walk) fill(full bool) {
	w.board.Lock()
	defer w.board.Unlock()
	w.full, w.board.records.Err = full, nil
	if full {
		w.board.records.Err = errors.New("the store is full")
	}
}

func (w *walk) restart() {
	_ = w.note("restart", w.update.Close())
	synctest.Wait()
	w.fill(false)
	w.board.restart()
	w.rig = boot(w.t, w.board, w.cfg)
}

// image returns an image for a component, now and then for two of them.
func (w *walk) image(id dm.InstanceID) string {
	w.images++
	image := fmt.Sprintf("%s %d.0", components[id], w.images)
	if other := w.r.IntN(9); other < len(components) && other != int(id) {
		image += fmt.Sprintf("\n%s %d.0", components[other], w.images)
	}
	return image
}

// accepted counts what the device was asked for.
func (w *walk) accepted(what string, err error) {
	if w.note(what, err) == nil {
		w.updates++
	}
}

func (w *walk) step() {
	id := dm.InstanceID(w.r.IntN(len(components)))
	on := func(what string) string { return fmt.Sprint(what, " ", id) }
	switch w.r.IntN(14) {
	case 0, 1, 2:
		_ = w.note(on("push"), w.upload(id, w.image(id)))
	case 3:
		_ = w.note(on("URI"), w.Write(path(id, 1), dm.StringValue("coap://files/"+strings.NewReplacer("\n", "/", " ", "-").Replace(w.image(id)))))
	case 4:
		_ = w.note(on("reset"), w.Write(path(id, 1), dm.StringValue("")))
	case 5, 6:
		w.accepted(on("Update"), w.execute(id, ""))
	case 7:
		w.accepted(on("Update alone"), w.execute(id, "0"))
	case 8:
		other := w.r.IntN(len(components))
		w.accepted(on(fmt.Sprint("Update with ", other, " of")), w.execute(id, fmt.Sprintf("0='</33629/%d>'", other)))
	case 9:
		_ = w.note(on("Cancel"), w.Execute(path(id, 10), ""))
	case 10:
		w.accepted(on("approval"), w.update.Approve(context.Background(), id))
	case 11:
		w.restart()
	case 12:
		w.fill(!w.full)
		_ = w.note(fmt.Sprint("the store is full: ", w.full), nil)
	case 13:
		d := time.Duration(w.r.Int64N(int64(2 * time.Minute)))
		time.Sleep(d)
		_ = w.note(fmt.Sprint("after ", d), nil)
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
	w.board.Lock()
	installs := len(w.board.installs)
	w.board.installs = nil
	records := map[dm.InstanceID][]byte{}
	for i := range components {
		id := dm.InstanceID(i)
		records[id] = w.board.records.Values[fmt.Sprintf("advancedfirmware/%d", id)]
	}
	w.board.Unlock()
	for id, value := range records {
		var rec struct{ Phase, Result int64 }
		if value != nil {
			if err := json.Unmarshal(value, &rec); err != nil {
				w.fail("%v", err)
			}
		}
		s := w.update.Status(id)
		if want := []int64{0, 1, 1, 1, 2, 2, 3}[rec.Phase]; s.State != want || s.Result != rec.Result {
			w.fail("servers read %+v of %d, durable is %+v", s, id, rec)
		}
	}
	if installs > w.updates {
		w.fail("%d installations, %d were asked for", installs, w.updates)
	}
	w.updates = min(w.updates-installs, len(components)) // those that were postponed
}

// TestRandomWalk has a server do everything with all components, while the store fails and the
// device restarts. In the end an update of all of them works.
func TestRandomWalk(t *testing.T) {
	for seed := range uint64(100) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			in(t, func(t *testing.T) {
				b := newBoard()
				b.restarts = seed%2 == 0
				w := &walk{r: rand.New(rand.NewPCG(seed, 5))}
				w.cfg = b.config()
				if seed%3 == 0 {
					w.cfg.Ask = func([]*advancedfirmware.Image, time.Time) bool { return true }
				}
				w.rig = boot(t, b, w.cfg)
				for range 200 {
					w.step()
				}
				w.restart()
				time.Sleep(10 * time.Minute)
				synctest.Wait()
				w.check()
				for i := range components {
					w.ok("reset", w.Write(path(dm.InstanceID(i), 1), dm.StringValue("")))
					synctest.Wait()
				}
				w.cfg.Ask = nil
				w.restart()
				w.pushes("application 9.9", "modem 9.9", "bootloader 9.9")
				w.updates++
				w.ok("Update", w.execute(0, "0='</33629/1>,</33629/2>'"))
				synctest.Wait()
				w.restart()
				w.check()
				if w.shows("0/1 0/1 0/1"); t.Failed() {
					w.fail("the last update")
				}
			})
		})
		if t.Failed() {
			return
		}
	}
}
