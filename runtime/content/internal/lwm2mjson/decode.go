package lwm2mjson

import (
	"errors"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/jsonwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/sink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Decoder reads LwM2M JSON. See codec.Decoder. Names without a base name continue the path of the
// request.
type Decoder struct {
	sink sink.Sink
	in   jsonwire.Reader

	baseName []byte
	baseTime float64
	list     int // the offset of the array of values
	full     [sink.MaxName]byte
}

var (
	errTwice = errors.New("an object has a member twice")
	errKind  = errors.New("a member has a value of the wrong kind")
	errMany  = errors.New("there is more than one value")
	errList  = errors.New("the array e is missing")
)

// Decode yields the entries of a payload.
func (d *Decoder) Decode(payload []byte, r content.Request, yield func(dm.Entry) error) error {
	d.sink.Begin(r, yield)
	d.in = jsonwire.Reader{B: payload}
	d.baseName, d.baseTime, d.list = nil, 0, -1
	err := d.run()
	d.in.B, d.baseName = nil, nil
	if dup := d.sink.Finish(); err == nil {
		err = dup
	}
	return err
}

// run reads the payload twice: the base name and base time may follow the values.
func (d *Decoder) run() error {
	err := d.outline()
	if err == nil {
		err = d.in.End()
	}
	if err == nil && d.list < 0 {
		err = errList
	}
	if err != nil {
		return d.broken(err)
	}
	return d.values()
}

func (d *Decoder) broken(err error) error { return d.sink.Broken(d.in.Pos, err) }

// outline reads the base name and the base time, and notes where the array of values begins.
func (d *Decoder) outline() error {
	members, err := d.in.Open('{')
	if err != nil {
		return err
	}
	var has member
	for {
		more, err := d.in.More(&members)
		if err != nil || !more {
			return err
		}
		key, err := d.in.Key()
		if err != nil {
			return err
		}
		m := outer(key)
		if has&m != 0 {
			return errTwice
		}
		has |= m
		if m == valueList {
			d.list = d.in.Pos
		}
		if m != baseName && m != baseTime {
			if err := d.in.Skip(); err != nil {
				return err
			}
			continue
		}
		v, err := d.in.Scalar()
		switch {
		case err != nil:
			return err
		case m == baseName && v.Kind == scalar.Text:
			d.baseName = v.B
		case m == baseTime && v.Number():
			d.baseTime = v.Float64()
		default:
			return errKind
		}
	}
}

// values reads the array that outline has found.
func (d *Decoder) values() error {
	d.in.Pos = d.list
	items, err := d.in.Open('[')
	if err != nil {
		return d.broken(err)
	}
	for n := 0; ; n++ {
		more, err := d.in.More(&items)
		if err != nil {
			return d.broken(err)
		}
		if !more {
			if n == 0 {
				return d.empty()
			}
			return nil
		}
		v, err := d.value()
		if err != nil {
			return d.broken(err)
		}
		if err := d.deliver(v); err != nil {
			return err
		}
	}
}

// empty yields an instance without values, which a Create may name by the base name alone.
func (d *Decoder) empty() error {
	n := len(d.baseName)
	if n < 2 || d.baseName[n-1] != '/' {
		return nil
	}
	p, err := d.sink.Path(d.baseName[:n-1])
	if err != nil {
		return err
	}
	if p.Contains(d.sink.Req.Base) {
		return nil // it says nothing about a node below the base
	}
	if err := d.sink.Within(p); err != nil || p.Level() != dm.InstanceLevel {
		return err
	}
	return d.sink.Value(p, dm.Value{}, 0)
}

// value is one element of the array.
type value struct {
	has    member
	name   []byte
	time   float64
	scalar scalar.Scalar
}

func (d *Decoder) value() (v value, err error) {
	members, err := d.in.Open('{')
	if err != nil {
		return v, err
	}
	for {
		more, err := d.in.More(&members)
		if err != nil || !more {
			return v, err
		}
		key, err := d.in.Key()
		if err != nil {
			return v, err
		}
		m := inner(key)
		if m == 0 {
			err = d.in.Skip()
		} else {
			var s scalar.Scalar
			if s, err = d.in.Scalar(); err == nil {
				err = v.set(m, &s)
			}
		}
		if err != nil {
			return v, err
		}
	}
}

func (v *value) set(m member, s *scalar.Scalar) error {
	if v.has&m != 0 {
		return errTwice
	}
	v.has |= m
	ok := s.Kind == scalar.Text
	switch m {
	case number, time:
		ok = s.Number()
	case boolean:
		ok = s.Kind == scalar.Bool
	}
	switch {
	case !ok:
		return errKind
	case m == name:
		v.name = s.B
	case m == time:
		v.time = s.Float64()
	case v.has&anyValue != m:
		return errMany
	case m == link:
		s.Kind = scalar.Link
		fallthrough
	default:
		v.scalar = *s
	}
	return nil
}

func (d *Decoder) deliver(v value) error {
	n := len(d.baseName) + len(v.name)
	if n > len(d.full) {
		return fault.BadRequest(d.sink.Req.Base, "a name is longer than %d bytes", len(d.full))
	}
	copy(d.full[copy(d.full[:], d.baseName):], v.name)
	p, err := d.sink.Path(d.full[:n])
	if err != nil {
		return err
	}
	if v.has&anyValue == 0 {
		return fault.BadRequest(p, "the payload names the node without a value")
	}
	if v.has&text != 0 && d.sink.Type(p) == registry.Opaque {
		v.scalar.Kind = scalar.Base64
	}
	t, err := d.sink.Time(p, d.baseTime+v.time)
	if err != nil {
		return err
	}
	return d.sink.Scalar(p, &v.scalar, t)
}
