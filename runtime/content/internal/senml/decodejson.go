package senml

import (
	"errors"

	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/jsonwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// errLabel says that a CBOR record spells a field as JSON does (RFC 8428 §6).
var errLabel = errors.New("a field has a text label where CBOR has a number for it")

// JSONDecoder reads SenML JSON and SenML-ETCH JSON. See codec.Decoder.
type JSONDecoder struct {
	pack
	in jsonwire.Reader
}

// Decode yields the entries of a payload.
func (d *JSONDecoder) Decode(payload []byte, r content.Request, yield func(dm.Entry) error) error {
	d.begin(r, yield, nil)
	return d.finish(d.run(payload))
}

// DecodePaths yields the paths of a payload.
func (d *JSONDecoder) DecodePaths(payload []byte, r content.Request, yield func(dm.Path) error) error {
	d.begin(r, nil, yield)
	return d.finish(d.run(payload))
}

func (d *JSONDecoder) run(payload []byte) error {
	d.in = jsonwire.Reader{B: payload}
	defer func() { d.in.B = nil }()
	records, err := d.in.Open('[')
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

func (d *JSONDecoder) broken(err error) error { return d.sink.Broken(d.in.Pos, err) }

// record reads one record.
func (d *JSONDecoder) record() error {
	d.rec = record{}
	fields, err := d.in.Open('{')
	if err != nil {
		return err
	}
	for {
		more, err := d.in.More(&fields)
		if err != nil || !more {
			return err
		}
		key, err := d.in.Key()
		if err != nil {
			return err
		}
		f, err := jsonField(key)
		if err != nil {
			return err
		}
		if f == 0 {
			err = d.in.Skip()
		} else {
			var v scalar.Scalar
			if v, err = d.in.Scalar(); err == nil {
				if f == dataValue && v.Kind == scalar.Text {
					v.Kind = scalar.Base64URL
				}
				err = d.set(f, &v)
			}
		}
		if err != nil {
			return err
		}
	}
}

// jsonField returns the field of a name. It returns 0 for a field to skip.
func jsonField(name []byte) (field, error) {
	switch string(name) {
	case "bn":
		return baseName, nil
	case "bt":
		return baseTime, nil
	case "bu":
		return baseUnit, nil
	case "bv":
		return baseValue, nil
	case "bs":
		return baseSum, nil
	case "bver":
		return baseVersion, nil
	case "n":
		return recordName, nil
	case "u":
		return unit, nil
	case "v":
		return value, nil
	case "vs":
		return stringValue, nil
	case "vb":
		return boolValue, nil
	case "vd":
		return dataValue, nil
	case "vlo":
		return linkValue, nil
	case "s":
		return sum, nil
	case "t":
		return recordTime, nil
	case "ut":
		return updateTime, nil
	}
	if n := len(name); n > 0 && name[n-1] == '_' {
		return 0, errUnderscore
	}
	return 0, nil
}
