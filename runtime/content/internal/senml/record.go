package senml

import (
	"errors"
	"math"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/fault"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/sink"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// field is one field of a record. A set of fields has one bit for each.
type field uint32

const (
	baseName field = 1 << iota
	baseTime
	baseUnit
	baseValue
	baseSum
	baseVersion
	recordName
	unit
	value
	stringValue
	boolValue
	dataValue
	linkValue
	sum
	recordTime
	updateTime

	values  = value | stringValue | boolValue | dataValue | linkValue
	numbers = baseTime | baseValue | baseSum | value | sum | recordTime | updateTime
	texts   = baseName | baseUnit | recordName | unit | stringValue | linkValue
)

// Errors of records do not show the value: it may be a secret.
var (
	errTwice      = errors.New("a record has a field twice")
	errKind       = errors.New("a field of a SenML record has a value of the wrong kind")
	errVersion    = errors.New("the SenML version (bver) must be a number up to 10")
	errUnderscore = errors.New("a field whose name ends with _ must be understood, and this one is unknown")
	errNull       = errors.New("a field is null: LwM2M has no meaning for it")
)

// record is one record as it is read.
type record struct {
	has   field
	name  []byte
	time  float64
	value scalar.Scalar
}

// pack resolves the records of one payload (RFC 8428 §4.6). Both decoders use it.
type pack struct {
	sink  sink.Sink
	paths func(dm.Path) error // set while DecodePaths runs
	rec   record

	// The base fields that apply to the next record.
	name  []byte
	time  float64
	value scalar.Scalar // null without a base value
	full  [sink.MaxName]byte
}

func (k *pack) begin(r content.Request, yield func(dm.Entry) error, paths func(dm.Path) error) {
	k.sink.Begin(r, yield)
	k.paths, k.name, k.time, k.value = paths, nil, 0, scalar.Scalar{}
}

func (k *pack) finish(err error) error {
	k.rec, k.name, k.value, k.paths = record{}, nil, scalar.Scalar{}, nil
	if dup := k.sink.Finish(); err == nil {
		return dup
	}
	return err
}

// set stores one field of the record that is being read.
func (k *pack) set(f field, v *scalar.Scalar) error {
	r := &k.rec
	switch {
	case r.has&f != 0:
		return errTwice
	case v.Kind == scalar.Null:
		return errNull
	case f&texts != 0 && v.Kind != scalar.Text:
		return errKind
	case f&numbers != 0 && !v.Number() && (f != value || v.Kind != scalar.Date):
		return errKind
	case f&numbers != 0 && (math.IsNaN(v.Float64()) || math.IsInf(v.Float64(), 0)):
		return errKind
	}
	r.has |= f
	switch f {
	case baseName:
		k.name = v.B
	case baseTime:
		k.time = v.Float64()
	case baseValue:
		k.value = *v
	case baseVersion:
		if n, ok := v.Uint64(); !ok || v.Kind != scalar.Int || n > version {
			return errVersion
		}
	case recordName:
		r.name = v.B
	case recordTime:
		r.time = v.Float64()
	default:
		if f&values != 0 {
			return k.setValue(f, v)
		}
	}
	return nil
}

func (k *pack) setValue(f field, v *scalar.Scalar) error {
	if k.rec.has&values != f {
		return errors.New("a record has more than one value")
	}
	ok := true
	switch f {
	case boolValue:
		ok = v.Kind == scalar.Bool
	case dataValue:
		ok = v.Kind == scalar.Bytes || v.Kind == scalar.Base64URL
	}
	if !ok {
		return errKind
	}
	k.rec.value = *v
	if f == linkValue {
		k.rec.value.Kind = scalar.Link
	}
	return nil
}

// resolve yields the record that has been read.
func (k *pack) resolve() error {
	r := &k.rec
	n := len(k.name) + len(r.name)
	if n > len(k.full) {
		return fault.BadRequest(k.sink.Req.Base, "a name is longer than %d bytes", len(k.full))
	}
	copy(k.full[copy(k.full[:], k.name):], r.name)
	if n == 0 || k.full[0] != '/' {
		return fault.BadRequest(k.sink.Req.Base, "a record has no name, or one that does not start with a slash")
	}
	p, err := k.sink.Path(cutRoot(k.full[:n], k.sink.Req.Root))
	if err != nil {
		return err
	}
	if k.paths != nil {
		return k.path(p)
	}
	if r.has&values == 0 {
		return fault.BadRequest(p, "the record has no value")
	}
	if k.value.Number() && r.has&value != 0 && r.value.Number() {
		if r.value = scalar.Add(&r.value, &k.value); math.IsInf(r.value.F, 0) {
			return fault.BadRequest(p, "the sum of base value and value is too large")
		}
	}
	t, err := k.sink.Time(p, k.time+r.time)
	if err != nil {
		return err
	}
	return k.sink.Scalar(p, &r.value, t)
}

// path yields a record of a list of paths (RFC 8790 §3.1).
func (k *pack) path(p dm.Path) error {
	if k.rec.has&(values|sum|recordTime|updateTime) != 0 {
		return fault.BadRequest(p, "a list of paths must not have values or times")
	}
	if err := k.sink.Within(p); err != nil {
		return err
	}
	return k.paths(p)
}
