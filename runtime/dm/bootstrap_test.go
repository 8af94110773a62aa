package dm_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// sequence is a bootstrap sequence that holds the writer slot only during each request, like a
// runtime.
type sequence struct {
	t  testing.TB
	tx *dm.Transaction
}

func startSequence(t testing.TB, m *dm.Model) *sequence {
	t.Helper()
	tx, err := m.Begin(t.Context(), dm.Bootstrap)
	if err != nil {
		t.Fatal(err)
	}
	tx.Suspend()
	return &sequence{t, tx}
}

// request runs one request of the sequence.
func (s *sequence) request(fn func(*dm.Transaction) error) error {
	s.t.Helper()
	if err := s.tx.Resume(s.t.Context()); err != nil {
		return err
	}
	defer s.tx.Suspend()
	return fn(s.tx)
}

func (s *sequence) write(p string, mode dm.Mode, list ...dm.Entry) {
	s.t.Helper()
	if err := s.request(func(tx *dm.Transaction) error { return tx.Write(path(s.t, p), mode, list) }); err != nil {
		s.t.Fatalf("writing to %s: %v", p, err)
	}
}

func (s *sequence) delete(p string) {
	s.t.Helper()
	if err := s.request(func(tx *dm.Transaction) error { return tx.Delete(path(s.t, p)) }); err != nil {
		s.t.Fatalf("deleting %s: %v", p, err)
	}
}

func (s *sequence) finish() error {
	s.t.Helper()
	return s.request(func(tx *dm.Transaction) error { return tx.Commit() })
}

func TestBootstrapSequence(t *testing.T) {
	s := newScripted(t)
	got, cancel := recordBatches(s.m)
	defer cancel()
	before := dump(t, s.m.Snapshot())
	seq := startSequence(t, s.m)
	seq.delete("/33001")
	seq.write("/33001/4", dm.Replace, entries(t, "/33001/4/0", 4.0, "/33001/4/9", 0)...)
	seq.write("/33003/1/9", dm.Replace, entries(t, "/33003/1/9", 5)...)
	if diff := changes(before, dump(t, s.m.Snapshot())); diff != "" {
		t.Errorf("before the end this is visible:\n%s", diff)
	}
	if got := s.take(); got != "delete1 delete1 create1" {
		t.Errorf("before the end these hooks ran: %s", got)
	}
	if err := seq.finish(); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin1 begin3 validate1 validate3 commit1 commit3 persist changed1 changed3"; got != want {
		t.Errorf("the hooks ran as\n%s, want\n%s", got, want)
	}
	if want := "bootstrap server: /33001/0 deleted /33001/1 deleted /33001/4 created /33003/1/9 changed"; strings.Join(*got, "\n") != want {
		t.Errorf("the batches are %q, want %q", *got, want)
	}
	if err := seq.finish(); !errors.Is(err, dm.ErrDone) {
		t.Errorf("finishing twice: %v", err)
	}
}

// 4.06 leaves the sequence open for correction (Core 1.2.2 §6.1.6): what was written stays, hooks
// are rolled back, and they run again at the next end.
func TestBootstrapCorrection(t *testing.T) {
	s := newScripted(t)
	before := dump(t, s.m.Snapshot())
	seq := startSequence(t, s.m)
	seq.write("/33001/0", dm.Replace, entries(t, "/33001/0/0", 3.0)...)
	seq.write("/33002/0/9", dm.Replace, entries(t, "/33002/0/9", 5)...)
	seq.write("/33001/0/9", dm.Replace, entries(t, "/33001/0/9", 5)...)
	boom := dm.Errorf(dm.BadRequest, "no such server")
	s.fail["validate2"] = boom
	if err := seq.finish(); dm.CodeOf(err) != dm.NotAcceptable || !errors.Is(err, boom) {
		t.Errorf("finishing while Validate refuses: %v, want 4.06", err)
	}
	if got, want := s.take(), "begin1 begin2 validate1 validate2 rollback2 rollback1"; got != want {
		t.Errorf("the hooks ran as %s, want %s", got, want)
	}
	for _, step := range []string{"begin2", "commit2", "persist"} {
		clear(s.fail)
		s.fail[step] = dm.Errorf(dm.ServiceUnavailable, "later")
		if err := seq.finish(); dm.CodeOf(err) != dm.ServiceUnavailable {
			t.Errorf("finishing while %s fails: %v", step, err)
		}
	}
	if diff := changes(before, dump(t, s.m.Snapshot())); diff != "" {
		t.Errorf("before the end this is visible:\n%s", diff)
	}
	s.take()
	clear(s.fail)
	if err := seq.finish(); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin1 begin2 validate1 validate2 commit1 commit2 persist changed1 changed2"; got != want {
		t.Errorf("the hooks ran as %s, want %s", got, want)
	}
	for p, want := range map[string]string{"/33001/0/0": "3", "/33001/0/9": "5", "/33002/0/9": "5",
		"/33001/0/2": "<none>"} {
		if got := show(s.m.Snapshot(), path(t, p)); got != want {
			t.Errorf("%s is %s, want %s", p, got, want)
		}
	}
}

// A mandatory resource that neither the sequence nor the template gives a value is 4.06 before any
// hook runs.
func TestBootstrapWithoutMandatoryResource(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1)},
		Hooks: dm.Hooks[meter]{Validate: func(_ context.Context, x *dm.Tx[meter]) error {
			if x.Origin() == dm.Bootstrap {
				for c := range x.Changes() {
					if _, ok := c.New.Mode.Get(); !ok {
						t.Errorf("Validate sees instance %d without its mandatory resource", c.ID)
					}
				}
			}
			return nil
		}}})
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	seq := startSequence(t, newModel(t, dm.ModelConfig{}, o))
	for _, p := range []string{"/33001/0", "/33001/7"} {
		seq.write(p, dm.Replace, entries(t, p+"/0", 3.0)...)
		err := seq.finish()
		if dm.CodeOf(err) != dm.NotAcceptable || !errors.Is(err, dm.ErrMandatory) || !strings.HasPrefix(err.Error(), p+": ") ||
			!strings.Contains(err.Error(), "Mode (9)") {
			t.Errorf("finishing without a mandatory resource: %v, want 4.06", err)
		}
		seq.write(p+"/9", dm.Replace, entries(t, p+"/9", 5)...)
	}
	if err := seq.finish(); err != nil {
		t.Fatal(err)
	}
}

// The amendments of a Validate that failed are not part of the next attempt, and changes through
// pointers that it kept have no effect.
func TestBootstrapForgetsFailedAmendments(t *testing.T) {
	attempt := 0
	var kept []*meter
	o := newMeters(t, dm.ObjectConfig[meter]{Template: meter{Label: dm.Empty[string](),
		Tags: dm.EmptyMulti[string]()}, Hooks: dm.Hooks[meter]{Validate: func(_ context.Context, x *dm.Tx[meter]) error {
		if x.Origin() != dm.Bootstrap {
			return nil
		}
		attempt++
		for c := range x.Changes() {
			if got := c.New.Label.Or(""); got != "written" {
				t.Errorf("attempt %d starts with the label %q", attempt, got)
			}
			kept = append(kept, c.New)
			c.New.Label.Set("amended")
			c.New.Tags.Set(dm.ResourceInstanceID(attempt), "amended")
		}
		if attempt < 3 {
			return errors.New("not yet")
		}
		return nil
	}}})
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	seq := startSequence(t, newModel(t, dm.ModelConfig{}, o))
	seq.write("/33001/0/2", dm.Replace, entries(t, "/33001/0/2", "written")...)
	seq.write("/33001/5", dm.Replace, entries(t, "/33001/5/0", 1.0, "/33001/5/9", 1, "/33001/5/2", "written")...)
	for range 2 {
		if err := seq.finish(); err == nil {
			t.Fatal("Validate did not refuse")
		}
		for _, m := range kept {
			m.Label.Set("kept")
			m.Mode.Set(0)
		}
	}
	if err := seq.finish(); err != nil {
		t.Fatal(err)
	}
	for id, tags := range map[dm.InstanceID]string{0: "[0:a 1:b 3:amended]", 5: "[3:amended]"} {
		got, _ := o.Get(id)
		if s := fmt.Sprint(got.Tags); got.Label.Or("") != "amended" || got.Mode.Or(0) != 1 || s != tags {
			t.Errorf("instance %d is %v", id, got)
		}
	}
}

func TestBootstrapTimeout(t *testing.T) {
	s := newScripted(t)
	before := dump(t, s.m.Snapshot())
	seq := startSequence(t, s.m)
	seq.write("/33001/0/9", dm.Replace, entries(t, "/33001/0/9", 5)...)
	seq.write("/33001/0/6", dm.Replace, image(t, 33001, "img"))
	seq.tx.Rollback() // a timeout while the sequence is suspended
	if diff := changes(before, dump(t, s.m.Snapshot())); diff != "" {
		t.Errorf("this changed:\n%s", diff)
	}
	if got, want := s.take(), "open1 write1(img) abort1"; got != want {
		t.Errorf("the steps were %s, want %s", got, want)
	}
	if err := s.writeAll(dm.Server(1)); err != nil {
		t.Errorf("after it: %v", err)
	}
}

// A completed stream stays part of the corrected sequence, unless its Sink was told to commit.
func TestBootstrapKeepsStreams(t *testing.T) {
	s := newScripted(t)
	seq := startSequence(t, s.m)
	seq.write("/33001/0/6", dm.Replace, image(t, 33001, "img"))
	s.fail["validate1"] = errors.New("boom")
	if err := seq.finish(); dm.CodeOf(err) != dm.NotAcceptable {
		t.Errorf("finishing: %v", err)
	}
	clear(s.fail)
	if err := seq.finish(); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "open1 write1(img) begin1 validate1 rollback1 begin1 validate1 commit1 sink1 changed1"; got != want {
		t.Errorf("the steps were\n%s, want\n%s", got, want)
	}
	seq = startSequence(t, s.m)
	seq.write("/33001/0/6", dm.Replace, image(t, 33001, "img"))
	s.fail["sink1"] = errors.New("boom")
	if err := seq.finish(); err == nil {
		t.Error("the sink fails to commit, and the end does not fail")
	}
	clear(s.fail)
	if err := seq.finish(); !errors.Is(err, dm.ErrDone) {
		t.Errorf("finishing again without the stream: %v", err)
	}
	if got := s.take(); !strings.HasSuffix(got, "sink1 rollback1 abort1") {
		t.Errorf("the steps were\n%s", got)
	}
}

// Objects are registered and unregistered during a sequence.
func TestBootstrapWhileObjectsMove(t *testing.T) {
	s := newScripted(t)
	seq := startSequence(t, s.m)
	seq.write("/33001/0/9", dm.Replace, entries(t, "/33001/0/9", 5)...)
	seq.write("/33001/0/6", dm.Replace, image(t, 33001, "img"))
	seq.write("/33002/0/9", dm.Replace, entries(t, "/33002/0/9", 5)...)
	if err := s.m.Unregister(t.Context(), 33001); err != nil {
		t.Fatal(err)
	}
	other := newMeters(t, dm.ObjectConfig[meter]{})
	if err := other.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	if err := s.m.Register(t.Context(), other); err != nil {
		t.Fatal(err)
	}
	s.take()
	if err := seq.finish(); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "abort1 begin2 validate2 commit2 persist changed2"; got != want {
		t.Errorf("the steps were %s, want %s", got, want)
	}
	if got, _ := other.Get(0); got.Mode.Or(0) != 1 {
		t.Errorf("the new object has the value that was written to the old one: %v", got.Mode)
	}
	if got, _ := s.objects[0].Get(0); got.Mode.Or(0) != 1 {
		t.Errorf("the old object is %v", got.Mode)
	}
}

// A context that a Create hook kept does not change when the sequence continues, and can be used
// while the sequence is suspended.
func TestBootstrapContexts(t *testing.T) {
	var kept context.Context
	o := newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Create: func(ctx context.Context, _ dm.InstanceID, m *meter) error {
		kept = ctx
		m.Level, m.Mode = dm.Float(1), dm.Int(1)
		return nil
	}}})
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	seq := startSequence(t, newModel(t, dm.ModelConfig{}, o))
	seq.write("/33001/5", dm.Replace)
	ctx := kept
	var wg sync.WaitGroup
	stop := make(chan bool)
	wg.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				_ = ctx.Value("anything")
				_ = dm.OriginFrom(ctx)
				dm.SnapshotFrom(ctx)
			}
		}
	})
	if err := o.Update(ctx, 0, func(m *meter) error { m.Level.Set(3); return nil }); err != nil {
		t.Errorf("an Update while the sequence is suspended: %v", err)
	}
	for range 20 {
		seq.write("/33001/0/9", dm.Replace, entries(t, "/33001/0/9", 5)...)
	}
	if err := seq.finish(); err != nil {
		t.Error(err)
	}
	close(stop)
	wg.Wait()
}

// The application updates its objects while a sequence runs, and no update is lost.
func TestBootstrapRace(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1), Mode: dm.Int(1),
		Label: dm.Empty[string]()}})
	inst := fullMeter()
	inst.Big = dm.Uint(0)
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	const updates = 300
	var wg sync.WaitGroup
	for range 2 {
		wg.Go(func() {
			for range updates {
				if err := o.Update(t.Context(), 0,
					func(m *meter) error { m.Big.Set(m.Big.Or(0) + 1); return nil }); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Go(func() {
		for i := range 30 {
			seq := startSequence(t, m)
			for range 5 {
				seq.write("/33001/0/2", dm.Replace, entries(t, "/33001/0/2", "boot")...)
				seq.write("/33001/3", dm.Replace, entries(t, "/33001/3/9", 5)...)
			}
			if i%3 == 0 {
				seq.tx.Rollback()
			} else if err := seq.finish(); err != nil {
				t.Error(err)
			}
		}
	})
	wg.Wait()
	if got, _ := o.Get(0); got.Big.Or(0) != 2*updates || got.Label.Or("") != "boot" {
		t.Errorf("%v of %d updates arrived; the label is %v", got.Big, 2*updates, got.Label)
	}
}

// What a step of the runtime changes before the checks is part of the sequence only once it is
// finished.
func TestBootstrapStepBeforeChecks(t *testing.T) {
	s := newScripted(t)
	before := dump(t, s.m.Snapshot())
	seq := startSequence(t, s.m)
	seq.write("/33001/0/4", dm.Replace, entries(t, "/33001/0/4/0", "boot")...)
	if err := s.objects[1].Update(t.Context(), 0, func(m *meter) error { m.Goal.Set(77); return nil }); err != nil {
		t.Fatal(err)
	}
	s.take()
	staged := func() (text string) {
		t.Helper()
		if err := seq.request(func(tx *dm.Transaction) error { text = dump(t, tx.Snapshot()); return nil }); err != nil {
			t.Fatal(err)
		}
		return text
	}
	step := func(tx *dm.Transaction) func() error {
		return func() error {
			if got := show(tx.Snapshot(), path(t, "/33002/0/1")); got != "77" {
				t.Errorf("the step sees %s, want the application's 77", got)
			}
			return errors.Join(
				tx.Write(path(t, "/33001/0/4"), dm.Replace, entries(t, "/33001/0/4/0", "step", "/33001/0/4/7", "step")),
				tx.Write(path(t, "/33001/0/2"), dm.Replace, entries(t, "/33001/0/2", "step")),
				tx.Delete(path(t, "/33003/1")))
		}
	}
	prepare := func() error {
		return seq.request(func(tx *dm.Transaction) error { return tx.PrepareAfter(step(tx)) })
	}
	s.fail["validate1"] = errors.New("no")
	if err := prepare(); dm.CodeOf(err) != dm.NotAcceptable {
		t.Errorf("finishing while Validate refuses: %v, want 4.06", err)
	}
	clear(s.fail)
	once := staged()
	if strings.Contains(once, "step") || !strings.Contains(once, "boot") || !strings.Contains(once, "/33003/1/") {
		t.Errorf("after a refused end the sequence holds:\n%s", once)
	}
	if err := seq.request(func(tx *dm.Transaction) error {
		return tx.PrepareAfter(func() error { return dm.Errorf(dm.NotAcceptable, "no account") })
	}); dm.CodeOf(err) != dm.NotAcceptable {
		t.Errorf("finishing while the step refuses: %v", err)
	}
	if diff := changes(once, staged()); diff != "" {
		t.Errorf("after the refusal of the step this changed:\n%s", diff)
	}
	s.fail["persist"] = errors.New("disk full")
	if err := seq.request(func(tx *dm.Transaction) error {
		if err := tx.PrepareAfter(step(tx)); err != nil {
			return err
		}
		err := tx.Persist()
		if !tx.Reopen() {
			t.Error("the sequence is over after a failed Persist")
		}
		return err
	}); err == nil {
		t.Error("Persist does not fail")
	}
	clear(s.fail)
	if diff := changes(once, staged()); diff != "" {
		t.Errorf("after a failed Persist this changed:\n%s", diff)
	}
	s.take()
	if err := seq.request(func(tx *dm.Transaction) error {
		if err := tx.PrepareAfter(step(tx)); err != nil {
			return err
		}
		if err := tx.Persist(); err != nil {
			return err
		}
		tx.Publish()
		tx.Finish()
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if got := dump(t, s.m.Snapshot()); !strings.Contains(got, "step") || strings.Contains(got, "/33003/1/") || got == before {
		t.Errorf("the end published:\n%s", got)
	}
}

// A panic of a hook at the end leaves a sequence that the runtime can keep open.
func TestBootstrapReopensAfterPanic(t *testing.T) {
	panics := false
	o := newMeters(t, dm.ObjectConfig[meter]{Hooks: dm.Hooks[meter]{Validate: func(context.Context, *dm.Tx[meter]) error {
		if panics {
			panic("boom")
		}
		return nil
	}}})
	if err := o.Add(0, fullMeter()); err != nil {
		t.Fatal(err)
	}
	seq := startSequence(t, newModel(t, dm.ModelConfig{}, o))
	seq.write("/33001/0/2", dm.Replace, entries(t, "/33001/0/2", "boot")...)
	panics = true
	func() {
		defer func() { _ = recover() }()
		_ = seq.request(func(tx *dm.Transaction) error { return tx.Prepare() })
	}()
	panics = false
	if err := seq.request(func(tx *dm.Transaction) error {
		if !tx.Reopen() {
			t.Error("the sequence is over")
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	if err := seq.finish(); err != nil {
		t.Fatal(err)
	}
	if got, _ := o.Get(0); got.Label.Or("") != "boot" {
		t.Errorf("the label is %v", got.Label)
	}
}
