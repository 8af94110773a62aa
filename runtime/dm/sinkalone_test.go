package dm_test

import (
	"bytes"
	"context"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// bufferSink collects what is written to it.
type bufferSink struct {
	bytes.Buffer
	committed, aborted bool
}

func (s *bufferSink) Commit(context.Context) error { s.committed = true; return nil }

func (s *bufferSink) Abort() { s.aborted = true }

// A Sink commits by itself, so an object with one needs no hook at all, whoever writes and with
// whichever operation.
func TestSinkNeedsNoHook(t *testing.T) {
	var last *bufferSink
	image := dm.SinkFunc(func(context.Context) (dm.Sink, error) { last = new(bufferSink); return last, nil })
	o := newMeters(t, dm.ObjectConfig[meter]{Template: meter{Level: dm.Float(1), Mode: dm.Int(1), Image: image}})
	if err := o.Add(0, meter{Level: dm.Float(1), Mode: dm.Int(1), Label: dm.Str("a"), Image: image}); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	for _, test := range []struct {
		name string
		do   func() error
		want string
	}{
		{"Replace of the resource", func() error {
			return write(m, dm.Server(1), path(t, "/33001/0/6"), dm.Replace, entry(t, "/33001/0/6", "one"))
		}, "one"},
		{"Replace of the instance", func() error {
			return write(m, dm.Server(1), path(t, "/33001/0"), dm.Replace, entry(t, "/33001/0/6", "two"), entries(t, "/33001/0/9", 1)[0])
		}, "two"},
		{"Update of the instance", func() error {
			return write(m, dm.Server(1), path(t, "/33001/0"), dm.Update, entry(t, "/33001/0/6", "three"))
		}, "three"},
		{"Write-Composite", func() error {
			return write(m, dm.Server(1), dm.Path{}, dm.Update, entry(t, "/33001/0/6", "four"))
		}, "four"},
		{"Create", func() error {
			return create(m, dm.Server(1), meterID, []dm.InstanceID{3}, entry(t, "/33001/3/6", "five"))
		}, "five"},
		{"Bootstrap-Write", func() error {
			return write(m, dm.Bootstrap, path(t, "/33001/0"), dm.Replace, entry(t, "/33001/0/6", "six"), entries(t, "/33001/0/0", 3.0)[0],
				entries(t, "/33001/0/9", 1)[0])
		}, "six"},
		{"an upload", func() error {
			up, ok, err := m.Snapshot().OpenUpload(t.Context(), dm.Server(1), path(t, "/33001/0/6"))
			if err != nil || !ok {
				return err
			}
			if _, err := up.Write([]byte("seven")); err != nil {
				return err
			}
			return do(m, dm.Server(1), func(tx *dm.Transaction) error { return tx.Accept(up) })
		}, "seven"},
	} {
		last = nil
		if err := test.do(); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if last == nil || last.String() != test.want || !last.committed || last.aborted {
			t.Errorf("%s: the sink is %+v, want %q committed", test.name, last, test.want)
		}
	}
	// What the application changes beside the stream needs no hook either.
	if err := o.Update(t.Context(), 0, func(m *meter) error { m.Label.Set("b"); return nil }); err != nil {
		t.Error(err)
	}
}

// entry is an Opaque value.
func entry(t testing.TB, p, text string) dm.Entry {
	t.Helper()
	return dm.Entry{Path: path(t, p), Value: dm.OpaqueValue([]byte(text))}
}
