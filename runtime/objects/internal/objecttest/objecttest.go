// Package objecttest lets tests of standard objects act as a server without a network.
package objecttest

import (
	"context"
	"errors"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Must fails the test at once if there is an error.
func Must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// Same fails the test unless two lists, such as those of Read, are equal.
func Same(t testing.TB, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

// Refused fails the test unless an error has a code.
func Refused(t testing.TB, what string, err error, code dm.Code) {
	t.Helper()
	if !errors.Is(err, code) {
		t.Errorf("%s: %v, want %v", what, err, code)
	}
}

// Device is a model with objects, on which the methods act as server 1.
type Device struct {
	t     testing.TB
	Model *dm.Model
}

// New returns a device with the objects.
func New(t testing.TB, objects ...dm.Object) *Device {
	t.Helper()
	persist := func(ctx context.Context, c dm.Committed) error { // as the client does
		for _, o := range objects {
			if own, ok := o.(interface {
				Persist(context.Context, dm.Committed) error
			}); ok {
				if err := own.Persist(ctx, c); err != nil {
					return err
				}
			}
		}
		return nil
	}
	m, err := dm.NewModel(dm.ModelConfig{Persist: persist}, objects...)
	if err != nil {
		t.Fatal(err)
	}
	return &Device{t, m}
}

func (d *Device) path(p string) dm.Path {
	d.t.Helper()
	path, err := dm.ParsePath(p)
	if err != nil {
		d.t.Fatal(err)
	}
	return path
}

// Read returns the values at and below a path, as "path=value".
func (d *Device) Read(p string) []string {
	d.t.Helper()
	var list []string
	err := d.Model.Snapshot().Read(asServer(), dm.Server(1), d.path(p), func(p dm.Path, v dm.Value) error {
		if v.Type() != registry.None {
			list = append(list, p.String()+"="+v.String())
		}
		return nil
	})
	if err != nil {
		list = append(list, err.Error())
	}
	return list
}

// asServer returns the context that functions receive from a client.
func asServer() context.Context { return dm.WithOrigin(context.Background(), dm.Server(1)) }

// Value returns one value, and fails the test if there is none.
func (d *Device) Value(p string) dm.Value {
	d.t.Helper()
	v, err := d.Model.Snapshot().Value(asServer(), dm.Server(1), d.path(p))
	if err != nil {
		d.t.Errorf("Read %s: %v", p, err)
	}
	return v
}

// Err returns the error of a read of one value.
func (d *Device) Err(p string) error {
	d.t.Helper()
	_, err := d.Model.Snapshot().Value(asServer(), dm.Server(1), d.path(p))
	return err
}

// Write replaces a node with one value.
func (d *Device) Write(p string, v dm.Value) error {
	d.t.Helper()
	path := d.path(p)
	return d.Change(func(tx *dm.Transaction) error {
		return tx.Write(path.Up(dm.ResourceLevel), dm.Replace, []dm.Entry{{Path: path, Value: v}})
	})
}

// Upload writes a resource whose value is streamed, block by block. After an error it gives up.
func (d *Device) Upload(p string, blocks ...string) error {
	d.t.Helper()
	up, streamed, err := d.Model.Snapshot().OpenUpload(context.Background(), dm.Server(1), d.path(p))
	if err != nil {
		return err
	}
	if !streamed {
		d.t.Fatalf("%s is not streamed", p)
	}
	for _, block := range blocks {
		if _, err := up.Write([]byte(block)); err != nil {
			up.Abort()
			return err
		}
	}
	return d.Change(func(tx *dm.Transaction) error { return tx.Accept(up) })
}

// Create creates an instance from entries.
func (d *Device) Create(o dm.ObjectID, id dm.InstanceID, entries ...dm.Entry) error {
	d.t.Helper()
	return d.Change(func(tx *dm.Transaction) error { return tx.Create(o, []dm.InstanceID{id}, entries) })
}

// Change runs a transaction of the server.
func (d *Device) Change(fn func(*dm.Transaction) error) error {
	d.t.Helper()
	tx, err := d.Model.Begin(context.Background(), dm.Server(1))
	if err != nil {
		d.t.Fatal(err)
	}
	defer tx.Rollback()
	if err := fn(tx); err != nil {
		return err
	}
	return tx.Commit()
}

// Execute executes a resource.
func (d *Device) Execute(p, args string) error {
	d.t.Helper()
	a, err := dm.ParseArgs(args)
	if err != nil {
		d.t.Fatal(err)
	}
	return d.Model.Snapshot().Execute(context.Background(), dm.Server(1), d.path(p), a)
}
