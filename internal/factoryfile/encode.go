package factoryfile

import (
	"bytes"
	"errors"
	"fmt"
	"slices"

	"github.com/lwm2mgen/toolkit/internal/names"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Encode returns a factory file. The same entries always give the same bytes. A format is
// content.SenMLCBOR or content.SenMLJSON. An instance without any value is left out, as SenML has
// no place for it; so are the paths of instances that have values.
func Encode(f content.Format, entries []dm.Entry) ([]byte, error) {
	entries = slices.DeleteFunc(slices.Clone(entries), func(e dm.Entry) bool { return e.Path.Level() < dm.ResourceLevel })
	var enc codec.Encoder
	out, err := enc.Encode(f, nil, content.Target{}, entries)
	if err == nil && f == content.SenMLJSON {
		out = append(out, '\n')
	}
	return out, err
}

// Decode returns the entries of a factory file in the order of their paths, and its format, which
// its first byte shows.
func Decode(data []byte, book *names.Book) ([]dm.Entry, content.Format, error) {
	f := content.SenMLCBOR
	if bytes.HasPrefix(bytes.TrimLeft(data, " \t\r\n"), []byte("[")) {
		f = content.SenMLJSON
	} else if len(data) == 0 || data[0]&0xe0 != 0x80 {
		return nil, 0, errors.New("this is no factory file: it begins neither like SenML JSON nor like SenML CBOR")
	}
	var entries []dm.Entry
	var d codec.Decoder
	err := d.Decode(f, data, content.Request{Schema: book.Object}, func(e dm.Entry) error {
		if r := book.Resource(e.Path); r == nil || r.Secret {
			e.Value = e.Value.Hidden()
		}
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		var e *dm.Error
		if errors.As(err, &e) && e.Err != nil {
			err = fmt.Errorf("%s: %w", e.Path, e.Err) // without the code of a response
		}
		return nil, f, fmt.Errorf("this is no factory file in %s: %w", f, err)
	}
	slices.SortStableFunc(entries, func(x, y dm.Entry) int { return x.Path.Compare(y.Path) })
	return entries, f, nil
}
