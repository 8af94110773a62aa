package dm_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// A hook tells what a payload named from what a Replace emptied because the payload left it out.
func TestWrittenAndEmptied(t *testing.T) {
	var seen []string
	look := func(_ context.Context, x *dm.Tx[meter]) error {
		for c := range x.Changes() {
			written := slices.SortedFunc(c.Written(), dm.Path.Compare)
			emptied := slices.SortedFunc(c.Emptied(), dm.Path.Compare)
			seen = append(seen, fmt.Sprintf("%d written %v emptied %v", c.ID, written, emptied))
			for id := range dm.ResourceID(15) {
				in := func(list []dm.Path) bool {
					return slices.ContainsFunc(list, func(p dm.Path) bool { return p.Resource() == id })
				}
				if c.Wrote(id) != in(written) || c.Affects(id) != (in(written) || in(emptied)) {
					t.Errorf("resource %d: Wrote %t, Affects %t, written %v, emptied %v", id, c.Wrote(id), c.Affects(id), written, emptied)
				}
			}
		}
		return nil
	}
	changed := func(ctx context.Context, x *dm.Tx[meter]) { _ = look(ctx, x) }
	o := newMeters(t, dm.ObjectConfig[meter]{
		Template: meter{Level: dm.Float(7), Mode: dm.Int(1), Label: dm.Empty[string](), Goal: dm.Float(3)},
		Hooks:    dm.Hooks[meter]{Validate: look, Commit: look, Changed: changed},
	})
	inst := meter{
		Level: dm.Float(20), Mode: dm.Int(1), Goal: dm.Func(func(context.Context) (float64, error) { return 4, nil }),
		Label: dm.Str("a"), Tags: dm.List("x", "y"), Blob: dm.Empty[[]byte](),
		Image: dm.SinkFunc(func(context.Context) (dm.Sink, error) { return nil, dm.ServiceUnavailable }),
	}
	if err := o.Add(0, inst); err != nil {
		t.Fatal(err)
	}
	m := newModel(t, dm.ModelConfig{}, o)
	instance, ctx := path(t, "/33001/0"), t.Context()
	for _, test := range []struct {
		name string
		do   func() error
		want string
	}{
		{"Replace of the instance", func() error {
			return write(m, dm.Server(1), instance, dm.Replace, entries(t, "/33001/0/9", 5, "/33001/0/4/7", "z")...)
		}, "0 written [/33001/0/4 /33001/0/9] emptied [/33001/0/1 /33001/0/2 /33001/0/10]"},
		{"Replace that names a multiple-instance resource without any", func() error {
			return write(m, dm.Server(1), instance, dm.Replace, append(entries(t, "/33001/0/9", 5),
				dm.Entry{Path: path(t, "/33001/0/4")})...)
		}, "0 written [/33001/0/4 /33001/0/9] emptied [/33001/0/1 /33001/0/2 /33001/0/10]"},
		{"Update of the instance", func() error {
			return write(m, dm.Server(1), instance, dm.Update, entries(t, "/33001/0/9", 1, "/33001/0/4/7", "z")...)
		}, "0 written [/33001/0/4/7 /33001/0/9] emptied []"},
		{"Replace of a resource", func() error {
			return write(m, dm.Server(1), path(t, "/33001/0/4"), dm.Replace, entries(t, "/33001/0/4/1", "u")...)
		}, "0 written [/33001/0/4] emptied []"},
		{"Create", func() error {
			return create(m, dm.Server(1), meterID, []dm.InstanceID{5}, entries(t, "/33001/5/2", "n")...)
		}, "5 written [/33001/5/2] emptied []"},
		{"Delete of a resource instance", func() error {
			return del(m, dm.Server(1), path(t, "/33001/0/4/1"))
		}, "0 written [/33001/0/4/1] emptied []"},
		{"Update of the application", func() error {
			return o.Update(ctx, 0, func(m *meter) error { m.Label.Clear(); return nil })
		}, "0 written [] emptied []"},
		{"a second write names what the first emptied", func() error {
			return do(m, dm.Server(1), func(tx *dm.Transaction) error {
				if err := tx.Write(instance, dm.Replace, entries(t, "/33001/0/9", 0)); err != nil {
					return err
				}
				return tx.Write(instance, dm.Update, entries(t, "/33001/0/4/3", "v"))
			})
		}, "0 written [/33001/0/4 /33001/0/9] emptied [/33001/0/1 /33001/0/2 /33001/0/10]"},
		{"a second Replace leaves out what the first write named", func() error {
			return do(m, dm.Server(1), func(tx *dm.Transaction) error {
				if err := tx.Write(path(t, "/33001/0/2"), dm.Replace, entries(t, "/33001/0/2", "b")); err != nil {
					return err
				}
				return tx.Write(instance, dm.Replace, entries(t, "/33001/0/9", 0))
			})
		}, "0 written [/33001/0/9] emptied [/33001/0/1 /33001/0/2 /33001/0/4 /33001/0/10]"},
		{"a bootstrap server's Replace of two instances", func() error {
			return write(m, dm.Bootstrap, dm.ObjectPath(meterID), dm.Replace,
				entries(t, "/33001/0/0", 1.0, "/33001/0/9", 1, "/33001/5/0", 2.0, "/33001/5/9", 1, "/33001/5/1", 8.0)...)
		}, "0 written [/33001/0/0 /33001/0/9] emptied [/33001/0/1 /33001/0/2 /33001/0/4 /33001/0/10] " +
			"5 written [/33001/5/0 /33001/5/1 /33001/5/9] emptied [/33001/5/2]"},
	} {
		seen = nil
		if err := test.do(); err != nil {
			t.Errorf("%s: %v", test.name, err)
			continue
		}
		if got, want := strings.Join(seen, " "), strings.Join([]string{test.want, test.want, test.want}, " "); got != want {
			t.Errorf("%s: the hooks saw\n%s\nwant\n%s", test.name, got, want)
		}
	}
}
