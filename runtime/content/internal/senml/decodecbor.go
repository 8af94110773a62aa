package senml

import (
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// CBORDecoder reads SenML CBOR and SenML-ETCH CBOR. See codec.Decoder.
type CBORDecoder struct {
	pack
	in cborwire.Reader
}

// Decode yields the entries of a payload.
func (d *CBORDecoder) Decode(payload []byte, r content.Request, yield func(dm.Entry) error) error {
	d.begin(r, yield, nil)
	return d.finish(d.run(payload))
}

// DecodePaths yields the paths of a payload.
func (d *CBORDecoder) DecodePaths(payload []byte, r content.Request, yield func(dm.Path) error) error {
	d.begin(r, nil, yield)
	return d.finish(d.run(payload))
}

func (d *CBORDecoder) run(payload []byte) error {
	d.in = cborwire.Reader{B: payload}
	defer func() { d.in.B = nil }()
	d.in.Start()
	records, err := d.in.Open(cborwire.Array)
	if err != nil {
		return d.broken(err)
	}
	for {
		more, err := d.in.More(&records)
		if err != nil {
			return d.broken(err)
		}
		if !more {
			break
		}
		if err := d.record(); err != nil {
			return d.broken(err)
		}
		if err := d.resolve(); err != nil {
			return err
		}
	}
	if err := d.in.End(); err != nil {
		return d.broken(err)
	}
	return nil
}

func (d *CBORDecoder) broken(err error) error { return d.sink.Broken(d.in.Pos, err) }

// record reads one record.
func (d *CBORDecoder) record() error {
	d.rec = record{}
	fields, err := d.in.Open(cborwire.Map)
	if err != nil {
		return err
	}
	for {
		more, err := d.in.More(&fields)
		if err != nil || !more {
			return err
		}
		f, err := d.label()
		if err != nil {
			return err
		}
		if f == 0 {
			err = d.in.Skip()
		} else {
			var v scalar.Scalar
			if v, err = d.in.Scalar(); err == nil {
				err = d.set(f, &v)
			}
		}
		if err != nil {
			return err
		}
	}
}

// label reads the label of a field. It returns 0 for a field to skip.
func (d *CBORDecoder) label() (field, error) {
	v, err := d.in.Scalar()
	if err != nil {
		return 0, err
	}
	switch v.Kind {
	case scalar.Int:
		n, ok := v.Int64()
		if !ok {
			return 0, nil
		}
		return cborField(n), nil
	case scalar.Text:
		f, err := jsonField(v.B)
		if f != 0 && f != linkValue {
			return 0, errLabel
		}
		return f, err
	}
	return 0, cborwire.ErrKind
}

func cborField(label int64) field {
	switch label {
	case labelBaseSum:
		return baseSum
	case labelBaseValue:
		return baseValue
	case labelBaseUnit:
		return baseUnit
	case labelBaseTime:
		return baseTime
	case labelBaseName:
		return baseName
	case labelVersion:
		return baseVersion
	case labelName:
		return recordName
	case labelUnit:
		return unit
	case labelValue:
		return value
	case labelString:
		return stringValue
	case labelBool:
		return boolValue
	case labelSum:
		return sum
	case labelTime:
		return recordTime
	case labelUpdate:
		return updateTime
	case labelData:
		return dataValue
	}
	return 0
}
