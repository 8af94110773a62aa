package dmtest

import (
	"context"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// writer returns an origin that may write the resource, or false if none may.
func (k *kit) writer(x *target) (dm.Origin, bool) {
	switch {
	case x.def.Ops.Executable(), x.stream, x.live && !x.def.Ops.Writable(), k.except[x.path.Resource()]:
		return dm.Application, false
	case x.def.Ops.Writable():
		return dm.Server(1), true
	}
	return dm.Bootstrap, true
}

// write writes v to a resource.
func (k *kit) write(x *target, who dm.Origin, v dm.Value) error {
	k.t.Helper()
	return k.try("a write to "+x.path.String(), who, func(tx *dm.Transaction) error {
		return tx.Write(x.path, dm.Replace, entriesFor(x.def, x.path, v))
	})
}

// checkAccess reports operations that succeed although the definition does not allow them.
func (k *kit) checkAccess(x *target) {
	k.t.Helper()
	server, ctx := dm.Server(1), context.Background()
	s := k.m.Snapshot()
	readable := x.def.Ops.Readable() && !x.def.Secret
	if !x.stream {
		err := s.Read(ctx, server, x.path, func(dm.Path, dm.Value) error { return nil })
		if refused := dm.CodeOf(err) == dm.MethodNotAllowed; refused == readable {
			k.t.Errorf("%v (%s, operations %q): a server that reads it gets %v", x.path, x.def.Name, x.def.Ops, err)
		}
	}
	if x.def.Secret {
		k.checkSecret(x, s)
	}
	if values := samples(x.def); !x.def.Ops.Writable() && len(values) > 0 {
		if err := k.write(x, server, values[0]); dm.CodeOf(err) != dm.MethodNotAllowed {
			k.t.Errorf("%v (%s, operations %q): a server that writes it gets %v", x.path, x.def.Name, x.def.Ops, err)
		}
	}
	if x.def.Ops.Executable() {
		return
	}
	if err := s.Execute(ctx, server, x.path, dm.Args{}); dm.CodeOf(err) != dm.MethodNotAllowed {
		k.t.Errorf("%v (%s): a server that executes it gets %v", x.path, x.def.Name, err)
	}
}

// checkSecret reports a secret that a server can read, or that is not marked as secret.
func (k *kit) checkSecret(x *target, s dm.Snapshot) {
	k.t.Helper()
	ctx := context.Background()
	err := s.Read(ctx, dm.Bootstrap, x.path, func(dm.Path, dm.Value) error { return nil })
	if dm.CodeOf(err) != dm.MethodNotAllowed {
		k.t.Errorf("%v (%s): the bootstrap server reads a secret: %v", x.path, x.def.Name, err)
	}
	_ = s.Read(ctx, dm.Application, x.path, func(p dm.Path, v dm.Value) error {
		if !v.IsSecret() {
			k.t.Errorf("%v (%s): the secret would show in a log", p, x.def.Name)
		}
		return nil
	})
}

// checkRoundTrips writes values that the definition allows and reads them.
func (k *kit) checkRoundTrips(x *target) {
	k.t.Helper()
	if x.live {
		k.checkLive(x)
	}
	who, ok := k.writer(x)
	if !ok {
		return
	}
	same := k.companions(x)
	var refusal error
	for _, v := range samples(x.def) {
		if err := k.write(x, who, v); err != nil {
			refusal = err
			continue
		}
		x.good = append(x.good, v)
		s := k.m.Snapshot()
		for _, e := range entriesFor(x.def, x.path, v) {
			if got, err := s.Value(context.Background(), dm.Application, e.Path); !x.live &&
				(err != nil || !got.Equal(v)) {
				k.t.Errorf("%v (%s): written was the %s %s, read was %s (%v)", e.Path, x.def.Name, v.Type(),
					text(v), text(got), err)
			}
		}
		for p := range same {
			if got, err := s.Value(context.Background(), dm.Application, p); err != nil || !got.Equal(v) {
				delete(same, p)
			}
		}
	}
	if len(x.good) == 0 && refusal != nil {
		k.t.Errorf("%v (%s): no value that the definition allows can be written; the last was refused with: %v; if that is right, leave the resource alone with Except(%d)", x.path, x.def.Name, refusal, x.def.ID)
	}
	if len(x.good) < 2 {
		return
	}
	for p := range same {
		k.t.Errorf("%v follows whatever is written to %v: do they share a cell?", p, x.path)
	}
}

// companions returns the other single resources of the instance with the same type.
func (k *kit) companions(x *target) map[dm.Path]bool {
	same := map[dm.Path]bool{}
	for _, y := range k.targets {
		if y != x && y.def.Type == x.def.Type && !y.def.Multiple && !x.def.Multiple &&
			y.path.Up(dm.InstanceLevel) == x.path.Up(dm.InstanceLevel) && !y.live && !y.stream {
			same[y.path] = true
		}
	}
	return same
}

// checkLive reports a function that fails.
func (k *kit) checkLive(x *target) {
	k.t.Helper()
	err := k.m.Snapshot().Read(context.Background(), dm.Application, x.path, func(_ dm.Path, v dm.Value) error {
		none := x.def.Multiple && v.Type() == registry.None // there are no resource instances
		if v.Type() != x.def.Type && !none {
			k.t.Errorf("%v (%s): the function returns a %s, not a %s", x.path, x.def.Name, v.Type(), x.def.Type)
		}
		return nil
	})
	if err != nil && dm.CodeOf(err) != dm.NotFound {
		k.t.Errorf("%v (%s): reading it fails: %v", x.path, x.def.Name, err)
	}
}

// checkRefusals writes values that the definition does not allow.
func (k *kit) checkRefusals(x *target) {
	k.t.Helper()
	who, ok := k.writer(x)
	if !ok {
		return
	}
	for _, v := range outside(x.def) {
		for _, who := range []dm.Origin{who, dm.Bootstrap, dm.Application} {
			if err := k.write(x, who, v); dm.CodeOf(err) != dm.BadRequest {
				k.t.Errorf("%v (%s, %s): %v writing the %s %s gets %v, want 4.00", x.path, x.def.Name, limits(x.def),
					who, v.Type(), text(v), err)
			}
		}
	}
	if values := samples(x.def); x.def.Multiple && len(values) > 0 {
		err := k.try("a write to the reserved resource instance", who, func(tx *dm.Transaction) error {
			p := dm.ResourceInstancePath(x.path.Object(), x.path.Instance(), x.path.Resource(), registry.ReservedID)
			return tx.Write(x.path, dm.Replace, []dm.Entry{{Path: p, Value: values[0]}})
		})
		if dm.CodeOf(err) != dm.BadRequest {
			k.t.Errorf("%v (%s): writing the resource instance 65535 gets %v, want 4.00", x.path, x.def.Name, err)
		}
	}
}

// checkStream reports a stream that accepts a second writer, or that accepts none after an aborted
// one.
func (k *kit) checkStream(x *target) {
	k.t.Helper()
	if !x.stream || k.except[x.path.Resource()] {
		return
	}
	ctx := context.Background()
	for range 2 {
		s := k.m.Snapshot()
		up, is, err := s.OpenUpload(ctx, dm.Bootstrap, x.path)
		if !is || err != nil && dm.CodeOf(err) == dm.MethodNotAllowed {
			return // the stream can only be read
		}
		if err != nil {
			k.t.Errorf("%v (%s): an upload cannot start: %v", x.path, x.def.Name, err)
			return
		}
		if second, _, err := s.OpenUpload(ctx, dm.Bootstrap, x.path); dm.CodeOf(err) != dm.ServiceUnavailable {
			k.t.Errorf("%v (%s): a second writer gets %v, want 5.03", x.path, x.def.Name, err)
			if second != nil {
				second.Abort()
			}
		}
		up.Abort()
	}
}
