package dm_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// scriptedSink returns a streamed resource whose Sink is part of the script.
func scriptedSink(s *scripted, n int) dm.Res[[]byte] {
	return dm.SinkFunc(func(context.Context) (dm.Sink, error) {
		return &sink{s, n}, s.step(fmt.Sprint("open", n))
	})
}

type sink struct {
	s *scripted
	n int
}

func (k *sink) Write(b []byte) (int, error) {
	if err := k.s.step(fmt.Sprintf("write%d(%s)", k.n, b)); err != nil {
		return 0, err
	}
	if string(b) == "short" {
		return 1, nil
	}
	return len(b), nil
}

func (k *sink) Commit(context.Context) error { return k.s.step(fmt.Sprint("sink", k.n)) }

func (k *sink) Abort() { _ = k.s.step(fmt.Sprint("abort", k.n)) }

func image(t testing.TB, o dm.ObjectID, text string) dm.Entry {
	t.Helper()
	return dm.Entry{Path: dm.ResourcePath(o, 0, imageID), Value: dm.OpaqueValue([]byte(text))}
}

func TestWriteToSink(t *testing.T) {
	s := newScripted(t)
	err := write(s.m, dm.Server(1), dm.InstancePath(33001, 0), dm.Update,
		append(entries(t, "/33001/0/9", 5), image(t, 33001, "abc"))...)
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin1 open1 write1(abc) validate1 commit1 sink1 persist changed1"; got != want {
		t.Errorf("the steps were\n%s, want\n%s", got, want)
	}
	// A new instance accepts a stream, too.
	e := dm.Entry{Path: dm.ResourcePath(33001, 5, imageID), Value: dm.OpaqueValue([]byte("new"))}
	if err := create(s.m, dm.Server(1), 33001, []dm.InstanceID{5}, e); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin1 create1 open1 write1(new) validate1 commit1 sink1 persist changed1"; got != want {
		t.Errorf("the steps were\n%s, want\n%s", got, want)
	}
	// A Replace of the instance does not change a stream that the payload does not name.
	if err := write(s.m, dm.Server(1), dm.InstancePath(33001, 0), dm.Replace,
		entries(t, "/33001/0/9", 1)...); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin1 validate1 commit1 persist changed1"; got != want {
		t.Errorf("the steps were\n%s, want\n%s", got, want)
	}
	// An empty value is written, too.
	if err := write(s.m, dm.Server(1), dm.ResourcePath(33001, 0, imageID), dm.Replace,
		image(t, 33001, "")); err != nil {
		t.Fatal(err)
	}
	if got := s.take(); !strings.Contains(got, "write1() validate1 commit1 sink1") {
		t.Errorf("the steps were\n%s", got)
	}
}

// A Sink that fails at any step fails the whole transaction. It is aborted if it was opened.
func TestSinkFailures(t *testing.T) {
	boom := dm.Errorf(dm.RequestEntityTooLarge, "no room")
	for step, want := range map[string]string{
		"open1":       "begin1 begin2 open1 rollback2 rollback1",
		"write1(one)": "begin1 begin2 open1 write1(one) abort1 rollback2 rollback1",
		"open2":       "begin1 begin2 open1 write1(one) open2 abort1 rollback2 rollback1",
		"write2(two)": "begin1 begin2 open1 write1(one) open2 write2(two) abort1 abort2 rollback2 rollback1",
		"validate2":   "begin1 begin2 open1 write1(one) open2 write2(two) validate1 validate2 rollback2 rollback1 abort1 abort2",
		"sink1":       "begin1 begin2 open1 write1(one) open2 write2(two) validate1 validate2 commit1 commit2 sink1 rollback2 rollback1 abort1 abort2",
		"sink2":       "begin1 begin2 open1 write1(one) open2 write2(two) validate1 validate2 commit1 commit2 sink1 sink2 rollback2 rollback1 abort1 abort2",
		"persist":     "begin1 begin2 open1 write1(one) open2 write2(two) validate1 validate2 commit1 commit2 sink1 sink2 persist rollback2 rollback1 abort1 abort2",
	} {
		s := newScripted(t)
		s.fail[step] = boom
		before := dump(t, s.m.Snapshot())
		payload := append(entries(t, "/33001/0/9", 5), image(t, 33001, "one"), image(t, 33002, "two"))
		err := write(s.m, dm.Server(1), dm.Path{}, dm.Update, payload...)
		if !errors.Is(err, boom) || dm.CodeOf(err) != dm.RequestEntityTooLarge {
			t.Errorf("%s failed: the error is %v", step, err)
		}
		if got := s.take(); got != want {
			t.Errorf("%s failed: the steps were\n%s, want\n%s", step, got, want)
		}
		if got := changes(before, dump(t, s.m.Snapshot())); got != "" {
			t.Errorf("%s failed, and this changed:\n%s", step, got)
		}
		clear(s.fail) // the next writer is accepted
		if err := write(s.m, dm.Server(1), dm.Path{}, dm.Update, payload...); err != nil {
			t.Errorf("after %s failed: %v", step, err)
		}
	}
	s := newScripted(t)
	if err := write(s.m, dm.Server(1), dm.ResourcePath(33001, 0, imageID), dm.Replace,
		image(t, 33001, "short")); !errors.Is(err, io.ErrShortWrite) {
		t.Errorf("a sink that does not take all: %v", err)
	}
}

func TestOneWriterAtATime(t *testing.T) {
	s, ctx := newScripted(t), t.Context()
	p := dm.ResourcePath(33001, 0, imageID)
	up, is, err := s.m.Snapshot().OpenUpload(ctx, dm.Server(1), p)
	if err != nil || !is {
		t.Fatal(is, err)
	}
	if _, is, err := s.m.Snapshot().OpenUpload(ctx, dm.Server(2), p); !is || dm.CodeOf(err) != dm.ServiceUnavailable {
		t.Errorf("a second upload: %t, %v, want 5.03", is, err)
	}
	if err := write(s.m, dm.Server(2), p, dm.Replace, image(t, 33001, "x")); dm.CodeOf(err) != dm.ServiceUnavailable {
		t.Errorf("a write during an upload: %v, want 5.03", err)
	}
	if _, _, err := s.m.Snapshot().OpenUpload(ctx, dm.Server(2), dm.ResourcePath(33002, 0, imageID)); err != nil {
		t.Errorf("an upload to another resource: %v", err)
	}
	up.Abort()
	up.Abort()
	if err := write(s.m, dm.Server(2), p, dm.Replace, image(t, 33001, "x")); err != nil {
		t.Errorf("after the upload: %v", err)
	}
	if got := strings.Count(strings.Join(s.log, " "), "abort1"); got != 1 {
		t.Errorf("the upload was aborted %d times", got)
	}
}

func TestUpload(t *testing.T) {
	s, ctx := newScripted(t), t.Context()
	p := dm.ResourcePath(33001, 0, imageID)
	open := func() *dm.Upload {
		t.Helper()
		up, is, err := s.m.Snapshot().OpenUpload(ctx, dm.Server(1), p)
		if err != nil || !is {
			t.Fatal(is, err)
		}
		return up
	}
	up := open()
	for _, part := range []string{"one", "two"} {
		if n, err := up.Write([]byte(part)); n != 3 || err != nil {
			t.Errorf("writing %s: %d, %v", part, n, err)
		}
	}
	if err := do(s.m, dm.Server(1), func(tx *dm.Transaction) error { return tx.Accept(up) }); err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "open1 write1(one) write1(two) begin1 validate1 commit1 sink1 changed1"; got != want {
		t.Errorf("the steps were\n%s, want\n%s", got, want)
	}
	up.Abort() // has no effect
	if _, err := up.Write([]byte("x")); !errors.Is(err, dm.ErrDone) {
		t.Errorf("writing after the end: %v", err)
	}
	if err := do(s.m, dm.Server(1), func(tx *dm.Transaction) error { return tx.Accept(up) }); !errors.Is(err, dm.ErrDone) {
		t.Errorf("accepting twice: %v", err)
	}
	s.take()

	// Refused: the upload is aborted with the transaction.
	up = open()
	s.fail["validate1"] = errors.New("boom")
	if err := do(s.m, dm.Server(1), func(tx *dm.Transaction) error { return tx.Accept(up) }); err == nil {
		t.Error("Validate fails and Commit does not")
	}
	if got, want := s.take(), "open1 begin1 validate1 rollback1 abort1"; got != want {
		t.Errorf("the steps were\n%s, want\n%s", got, want)
	}
	clear(s.fail)

	// Begin refuses: the upload still belongs to the caller.
	up = open()
	s.fail["begin1"] = errors.New("boom")
	if err := do(s.m, dm.Server(1), func(tx *dm.Transaction) error { return tx.Accept(up) }); err == nil {
		t.Error("Begin fails and Accept does not")
	}
	clear(s.fail)
	if _, err := up.Write([]byte("on")); err != nil {
		t.Errorf("writing after a refused Accept: %v", err)
	}
	up.Abort()

	// The error of a part names the resource.
	up = open()
	s.fail["write1(bad)"] = dm.Errorf(dm.BadRequest, "wrong magic")
	var e *dm.Error
	if _, err := up.Write([]byte("bad")); !errors.As(err, &e) || e.Path != p || e.Code != dm.BadRequest {
		t.Errorf("a part that is refused: %v", err)
	}

	// The resource is deleted or replaced during the upload.
	if err := s.objects[0].Update(ctx, 0, func(m *meter) error { m.Image = scriptedSink(s, 1); return nil }); err != nil {
		t.Fatal(err)
	}
	if err := do(s.m, dm.Server(1), func(tx *dm.Transaction) error { return tx.Accept(up) }); dm.CodeOf(err) != dm.Conflict {
		t.Errorf("replaced during the upload: %v", err)
	}
	if err := s.objects[0].Remove(ctx, 0); err != nil {
		t.Fatal(err)
	}
	if err := do(s.m, dm.Server(1), func(tx *dm.Transaction) error { return tx.Accept(up) }); dm.CodeOf(err) != dm.NotFound {
		t.Errorf("deleted during the upload: %v", err)
	}
	up.Abort()
}

func TestOpenUploadRefuses(t *testing.T) {
	s, ctx := newScripted(t), t.Context()
	for _, p := range []string{"/", "/33001", "/33001/0", "/33001/0/9", "/33001/0/99", "/33001/7/6", "/1/0/0",
		"/33001/0/4/0"} {
		if up, is, err := s.m.Snapshot().OpenUpload(ctx, dm.Server(1), path(t, p)); up != nil || is || err != nil {
			t.Errorf("an upload to %s: %v, %t, %v", p, up, is, err)
		}
	}
	boom := errors.New("boom")
	s.fail["open1"] = boom
	if _, is, err := s.m.Snapshot().OpenUpload(ctx, dm.Server(1), dm.ResourcePath(33001, 0, imageID)); !is ||
		!errors.Is(err, boom) {
		t.Errorf("a sink that does not open: %t, %v", is, err)
	}
	clear(s.fail)
	up, _, err := s.m.Snapshot().OpenUpload(ctx, dm.Server(1), dm.ResourcePath(33001, 0, imageID))
	if err != nil {
		t.Errorf("after a sink that did not open: %v", err)
	} else {
		up.Abort()
	}
	var zero dm.Upload
	zero.Abort()
	if _, err := zero.Write(nil); !errors.Is(err, dm.ErrDone) {
		t.Errorf("writing to the zero Upload: %v", err)
	}
}

// logSource is a Source over text.
type logSource struct {
	io.Reader
	size   int64
	closed *int
}

func (l logSource) Size() int64 { return l.size }

func (l logSource) Close() error { *l.closed++; return nil }

func TestSource(t *testing.T) {
	text, closed := "log", 0
	var fault error
	def := meterDefinition
	o, err := dm.NewObject(&def, (*meter).cell, dm.ObjectConfig[meter]{})
	if err != nil {
		t.Fatal(err)
	}
	inst := meter{Level: dm.Float(1), Mode: dm.Int(1), Blob: dm.StreamFunc(func(context.Context) (dm.Source, error) {
		return logSource{strings.NewReader(text), int64(len(text)), &closed}, fault
	}, func(context.Context) (dm.Sink, error) { return nil, errors.New("no") }),
		Image: dm.SinkFunc(func(context.Context) (dm.Sink, error) { return nil, errors.New("no") })}
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	s, ctx, p := newModel(t, dm.ModelConfig{}, o).Snapshot(), t.Context(), dm.ResourcePath(meterID, 0, blobID)
	src, is, err := s.OpenSource(ctx, dm.Server(1), p)
	if err != nil || !is || src.Size() != 3 {
		t.Fatal(is, err)
	}
	var b bytes.Buffer
	if _, err := b.ReadFrom(src); err != nil || b.String() != "log" {
		t.Errorf("read %q, %v", b.String(), err)
	}
	if err := src.Close(); err != nil {
		t.Error(err)
	}
	// A read of the instance leaves the stream out; a read of the resource returns all of it.
	if got, err := read(s, dm.Server(1), dm.InstancePath(meterID, 0)); err != nil ||
		got != "/33001/0/0=1\n/33001/0/9=1\n" {
		t.Errorf("the instance reads %q, %v", got, err)
	}
	if v, err := s.Value(ctx, dm.Server(1), p); err != nil || string(v.Opaque()) != "log" || closed != 2 {
		t.Errorf("the value is %v, %v; %d were closed", v, err, closed)
	}
	text = strings.Repeat("x", 1<<20)
	if v, err := s.Value(ctx, dm.Server(1), p); err != nil || len(v.Opaque()) != 1<<20 {
		t.Errorf("a MiB: %d bytes, %v", len(v.Opaque()), err)
	}
	text += "x"
	if _, err := s.Value(ctx, dm.Server(1), p); dm.CodeOf(err) != dm.InternalServerError || closed != 4 {
		t.Errorf("more than a MiB: %v; %d were closed", err, closed)
	}
	fault = dm.ErrNoValue
	if _, _, err := s.OpenSource(ctx, dm.Server(1), p); dm.CodeOf(err) != dm.NotFound {
		t.Errorf("a source that has nothing: %v", err)
	}
	if _, err := s.Value(ctx, dm.Server(1), p); dm.CodeOf(err) != dm.NotFound {
		t.Errorf("a source that has nothing: %v", err)
	}
	if _, is, err := s.OpenSource(ctx, dm.Server(1), dm.ResourcePath(meterID, 0, levelID)); is || err != nil {
		t.Errorf("a stored resource is a stream: %t, %v", is, err)
	}
	for p, want := range map[string]dm.Code{"/33001/0/6": dm.MethodNotAllowed, "/33001/1/10": dm.NotFound,
		"/33001/0/99": dm.NotFound} {
		if _, _, err := s.OpenSource(ctx, dm.Server(1), path(t, p)); dm.CodeOf(err) != want {
			t.Errorf("opening %s: %v, want %v", p, err, want)
		}
	}
	if v, err := s.Value(ctx, dm.Application, dm.ResourcePath(meterID, 0, imageID)); dm.CodeOf(err) != dm.NotFound {
		t.Errorf("reading a sink: %v, %v", v, err)
	}
	checkError(t, "setting a stream", o.Update(ctx, 0, func(m *meter) error { m.Image.Set([]byte("x")); return nil }),
		[]string{"/33001/0/6", "stream"})
}

// The Sink of a resource that the same transaction deletes later is not committed.
func TestSinkOfDeletedInstance(t *testing.T) {
	s := newScripted(t)
	err := do(s.m, dm.Server(1), func(tx *dm.Transaction) error {
		if err := tx.Write(dm.ResourcePath(33001, 0, imageID), dm.Replace,
			[]dm.Entry{image(t, 33001, "gone")}); err != nil {
			return err
		}
		return tx.Delete(dm.InstancePath(33001, 0))
	})
	if err != nil {
		t.Fatal(err)
	}
	if got, want := s.take(), "begin1 open1 write1(gone) delete1 abort1 validate1 commit1 persist changed1"; got != want {
		t.Errorf("the steps were\n%s, want\n%s", got, want)
	}
}

// A resource that is only a Source cannot be written.
func TestWriteToSource(t *testing.T) {
	o := newMeters(t, dm.ObjectConfig[meter]{})
	inst := fullMeter()
	inst.Blob = dm.SourceFunc(func(context.Context) (dm.Source, error) { return nil, errors.New("no") })
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	p := dm.ResourcePath(meterID, 0, blobID)
	if err := write(m, dm.Server(1), p, dm.Replace,
		dm.Entry{Path: p, Value: dm.OpaqueValue(nil)}); dm.CodeOf(err) != dm.MethodNotAllowed {
		t.Errorf("writing: %v", err)
	}
	if _, is, err := m.Snapshot().OpenUpload(t.Context(), dm.Server(1), p); !is ||
		dm.CodeOf(err) != dm.MethodNotAllowed {
		t.Errorf("uploading: %t, %v", is, err)
	}
}
