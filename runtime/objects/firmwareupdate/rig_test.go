package firmwareupdate_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
)

// board is a device that forgets what is not durable when it loses its power. It is an Installer
// and a Downloader.
type board struct {
	objecttest.Power
	flash    objecttest.Flash
	records  objecttest.Records
	running  string // the firmware that runs
	next     string // the firmware that runs after a restart
	installs []string
	restarts bool // whether installing needs a restart

	verifyErr, installErr error
	download              func(ctx context.Context, uri string) ([]byte, error)
	verifying             chan struct{} // Verify waits for it, if it is set
}

func newBoard() *board {
	b := &board{Power: objecttest.Power{Limit: -1}, running: "1.0"}
	b.flash.Power = &b.Power
	b.records = objecttest.Records{Power: &b.Power, Values: map[string][]byte{}}
	return b
}

func (b *board) fill(full bool) {
	b.Lock()
	defer b.Unlock()
	b.records.Err = nil
	if full {
		b.records.Err = errors.New("the store is full")
	}
}

func (b *board) Verify(ctx context.Context, image *firmwareupdate.Image) error {
	if b.verifying != nil {
		select {
		case <-b.verifying:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	if b.verifyErr != nil {
		return b.verifyErr
	}
	content, err := io.ReadAll(image)
	if err != nil {
		return err
	}
	version, ok := strings.CutPrefix(string(content), "firmware ")
	if !ok {
		return errors.New("it is no firmware")
	}
	image.Name, image.Version = "probe", version
	return nil
}

func (b *board) Install(_ context.Context, image *firmwareupdate.Image) (firmwareupdate.Outcome, error) {
	b.Lock()
	defer b.Unlock()
	if !b.Use() {
		return 0, objecttest.ErrPower
	}
	b.installs = append(b.installs, image.Version)
	if b.installErr != nil {
		return 0, b.installErr
	}
	if !b.Use() { // in the middle of an installation
		return 0, objecttest.ErrPower
	}
	b.next = image.Version
	if b.restarts {
		return firmwareupdate.Restarting, nil
	}
	b.running = b.next
	return firmwareupdate.Done, nil
}

func (b *board) installed(image *firmwareupdate.Image) bool { return b.running == image.Version }

func (b *board) Schemes() []string { return []string{"coap", "https"} }

func (b *board) Download(ctx context.Context, uri string, storage firmwareupdate.Storage) error {
	content, err := b.download(ctx, uri)
	if err != nil {
		return err
	}
	return objecttest.Download(storage, content)
}

// restart starts the device again, after a loss of power if it was lost.
func (b *board) restart() {
	b.Lock()
	defer b.Unlock()
	b.flash.Restart()
	b.Limit = -1
	if b.next != "" {
		b.running = b.next
	}
}

func (b *board) config() firmwareupdate.Config {
	return firmwareupdate.Config{Installer: b, Storage: &b.flash, Store: &b.records, Installed: b.installed,
		Logger: slog.New(slog.DiscardHandler)}
}

// rig is an update on a board, of which the methods act as a server.
type rig struct {
	*objecttest.Device
	t       *testing.T
	board   *board
	update  *firmwareupdate.Updater
	reports []firmwareupdate.Status
}

// boot starts the device. It returns nil if the power is lost on the way.
func boot(t *testing.T, b *board, c firmwareupdate.Config) *rig {
	t.Helper()
	r := &rig{t: t, board: b}
	c.Changed = func(s firmwareupdate.Status) { r.reports = append(r.reports, s) }
	u, err := firmwareupdate.New(c)
	if errors.Is(err, objecttest.ErrPower) {
		return nil
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = u.Close() })
	r.update, r.Device = u, objecttest.New(t, u)
	return r
}

func (r *rig) execute(p string) error { return r.Execute(p, "") }

// upload writes Package block by block.
func (r *rig) upload(blocks ...string) error { r.t.Helper(); return r.Upload("/5/0/0", blocks...) }

func (r *rig) uri(uri string) error { return r.Write("/5/0/1", dm.StringValue(uri)) }

// shows fails unless servers read this state and result once nothing happens any more.
func (r *rig) shows(state, result int64) {
	r.t.Helper()
	synctest.Wait()
	if got := r.update.Status(); got != (firmwareupdate.Status{State: state, Result: result}) {
		r.t.Errorf("state and result %v, want {%d %d}", got, state, result)
	}
}

// reported fails unless these states and results were published since the last call.
func (r *rig) reported(want ...string) {
	r.t.Helper()
	synctest.Wait()
	var got []string
	for _, s := range r.reports {
		got = append(got, fmt.Sprintf("%d/%d", s.State, s.Result))
	}
	r.reports = nil
	if !slices.Equal(got, want) {
		r.t.Errorf("reported %v, want %v", got, want)
	}
}

func (r *rig) refused(what string, err error, code dm.Code) {
	r.t.Helper()
	objecttest.Refused(r.t, what, err, code)
}

func (r *rig) ok(what string, err error) {
	r.t.Helper()
	if err != nil {
		r.t.Errorf("%s: %v", what, err)
	}
}

// in runs a test in a bubble.
func in(t *testing.T, fn func(t *testing.T)) { t.Helper(); synctest.Test(t, fn) }
