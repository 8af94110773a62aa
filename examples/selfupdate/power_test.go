package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"io/fs"
	"log/slog"
	"testing"

	"aead.dev/minisign"

	values "github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

const (
	programPath = "/opt/probe"
	oldProgram  = "the old program"
	newProgram  = "the new program"
)

// flash is a firmwareupdate.Storage in memory. It keeps the image over a loss of power.
type flash struct{ image []byte }

func (f *flash) Write(p []byte) (int, error) { f.image = append(f.image, p...); return len(p), nil }
func (f *flash) Sync() error                 { return nil }
func (f *flash) Truncate(n int64) error      { f.image = f.image[:n]; return nil }
func (f *flash) Content() *io.SectionReader {
	b := bytes.Clone(f.image)
	return io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))
}

// machine is a device without a network on a disk.
type machine struct {
	*testing.T
	disk   *disk
	flash  *flash
	inst   *installer
	update *firmwareupdate.Updater
	states chan firmwareupdate.Status
}

// boot starts the device: the supervisor discards a candidate, and then runs the program.
func boot(t *testing.T, key minisign.PublicKey, d *disk, f *flash) *machine {
	t.Helper()
	p := program{programPath, d}
	must(t, p.discard())
	m := &machine{T: t, disk: d, flash: f, states: make(chan firmwareupdate.Status, 100)}
	running := sha256.Sum256([]byte(d.names[programPath].content))
	m.inst = &installer{p, key, false, running[:], make(chan struct{}, 1)}
	var err error
	m.update, err = firmwareupdate.New(firmwareupdate.Config{
		Installer: m.inst, Storage: f, Store: d, Installed: m.inst.runs,
		Changed: func(s firmwareupdate.Status) { m.states <- s },
		Logger:  slog.New(slog.DiscardHandler),
	})
	must(t, err)
	return m
}

// await waits for a state, and reports false if the power is lost before.
func (m *machine) await(state int64) bool {
	for {
		select {
		case s := <-m.states:
			if s.State == state {
				return true
			}
		case <-m.disk.off:
			return false
		}
	}
}

// install pushes an image and executes Update. It reports whether the program of the image was
// staged, which it is not if the power is lost before.
func (m *machine) install(image []byte) bool {
	ctx, server, path := context.Background(), dm.Server(1), dm.ResourcePath(values.ObjectID, 0, values.PackageID)
	model, err := dm.NewModel(dm.ModelConfig{}, m.update)
	must(m.T, err)
	tx, err := model.Begin(ctx, server)
	must(m.T, err)
	must(m.T, tx.Write(path, dm.Replace, []dm.Entry{{Path: path, Value: dm.OpaqueValue(image)}}))
	must(m.T, tx.Commit())
	if !m.await(values.StateDownloaded) {
		return false
	}
	err = model.Snapshot().Execute(ctx, server, dm.ResourcePath(values.ObjectID, 0, values.UpdateID), dm.Args{})
	if err != nil {
		return false
	}
	for {
		select {
		case <-m.inst.staged:
			return true
		case s := <-m.states:
			if s.State == values.StateDownloaded { // it cannot be staged
				return false
			}
		case <-m.disk.off:
			return false
		}
	}
}

// A program that does not fit is reported as such and leaves nothing behind.
func TestFullDisk(t *testing.T) {
	public, key, err := minisign.GenerateKey(nil)
	must(t, err)
	d := newDisk(-1, map[string]string{programPath: oldProgram})
	m := boot(t, public, d, &flash{})
	defer m.update.Close()
	d.full = true
	if m.install(signed(t, key, []byte(newProgram), nil)) {
		t.Error("a program was staged on a full disk")
	}
	if got, want := m.update.Status(), (firmwareupdate.Status{State: values.StateDownloaded, Result: values.UpdateResultNotEnoughStorage}); got != want {
		t.Errorf("the state is %v, want %v", got, want)
	}
	if err := d.remove(programPath + ".new"); err != fs.ErrNotExist {
		t.Error("a candidate is left")
	}
}

// TestPowerLoss loses the power after every operation of an update, of a program that works and of
// one that does not. After it there is a whole program at the path, the new one only if it had
// confirmed that it works; success is reported if and only if the new one runs; and no candidate is
// left to be installed again. The same holds if the power is lost once more while the device
// starts.
func TestPowerLoss(t *testing.T) {
	public, key, err := minisign.GenerateKey(nil)
	must(t, err)
	image := signed(t, key, []byte(newProgram), nil)
	for name, works := range map[string]bool{"a program that works": true, "a program that does not work": false} {
		t.Run(name, func(t *testing.T) {
			results := map[int64]int{}
			for left, lost := 2, true; lost; left++ { // the first boot takes 2 operations
				d, f := newDisk(left, map[string]string{programPath: oldProgram, programPath + ".old": "an older program"}), &flash{}
				m := boot(t, public, d, f)
				confirmed := false
				if m.install(image) {
					confirmed = works
					if works {
						_ = m.inst.program.promote() // an error means a loss of power
					} else {
						_ = m.inst.program.discard()
					}
				}
				_ = m.update.Close()
				lost = d.isOff()
				for _, contents := range d.afterLoss() {
					// The power is lost again after 0 and 1 operations; 2 is all of them.
					for again := range 3 {
						second := newDisk(again, contents)
						_ = program{programPath, second}.discard()
						for _, contents := range second.afterLoss() {
							results[check(t, public, d, f, contents, confirmed)]++
						}
					}
				}
			}
			t.Logf("Update Results after a loss of power, and how often: %v", results)
			if results[8] == 0 || (results[1] > 0) != works {
				t.Errorf("the results are %v", results)
			}
		})
	}
}

// check starts the device after a loss of power, and returns its Update Result.
func check(t *testing.T, key minisign.PublicKey, before *disk, f *flash, contents map[string]string, confirmed bool) int64 {
	t.Helper()
	d := newDisk(-1, contents)
	_ = before.Load("", func(name string, value []byte) error { d.records[name] = value; return nil })
	m := boot(t, key, d, &flash{bytes.Clone(f.image)})
	defer m.update.Close()
	program := d.names[programPath]
	if program == nil || program.content != oldProgram && program.content != newProgram {
		t.Fatalf("no whole program is at the path: %q", contents)
	}
	isNew := program.content == newProgram
	if isNew && !confirmed {
		t.Error("the new program has not confirmed that it works, and runs")
	}
	if got := m.update.Status(); (got.Result == values.UpdateResultSuccess) != isNew || got.State == values.StateUpdating {
		t.Errorf("the new program runs: %v, but the state is %v", isNew, got)
	}
	if err := d.remove(programPath + ".new"); err != fs.ErrNotExist {
		t.Error("a candidate is left")
	}
	if len(m.inst.staged) > 0 {
		t.Error("the program is installed again")
	}
	return m.update.Status().Result
}
