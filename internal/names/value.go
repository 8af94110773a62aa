package names

import (
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Value returns the value of a text for the resource at a path, with the type of its definition. In
// addition to the forms of LwM2M's text format, a Boolean may be true or false, a Time may be in
// RFC 3339, and an Opaque in hexadecimal with 0x in front. Without a definition, a text that looks
// like an Integer, a Float or a Boolean is one, and any other is a String. Ranges are not checked:
// that is the device's task.
func (b *Book) Value(p dm.Path, text string) (dm.Value, error) {
	r := b.Resource(p)
	if r == nil {
		return guess(text), nil
	}
	plain, err := plainText(r.Type, text)
	if err != nil {
		return dm.Value{}, fmt.Errorf("the value of %s (%s): %w", r.Name, p, err)
	}
	base := p
	if r.Multiple && p.Level() == dm.ResourceLevel { // plain text is one resource instance
		base, _ = p.Child(0)
	}
	var (
		d codec.Decoder
		v dm.Value
	)
	err = d.Decode(content.Text, []byte(plain), content.Request{Base: base, Schema: b.Object}, func(e dm.Entry) error {
		v = e.Value
		return nil
	})
	if err != nil {
		var e *dm.Error
		if errors.As(err, &e) && e.Err != nil {
			err = e.Err // without the code that a device would send
		}
		return dm.Value{}, fmt.Errorf("the value of %s (%s): %w", r.Name, r.Type, err)
	}
	return v, nil
}

// plainText returns a text in the form of LwM2M's text format.
func plainText(t registry.Type, text string) (string, error) {
	switch t {
	case registry.None:
		return "", fmt.Errorf("the resource is an executable: use execute")
	case registry.Boolean:
		switch strings.ToLower(text) {
		case "true":
			return "1", nil
		case "false":
			return "0", nil
		}
	case registry.Time:
		if at, err := time.Parse(time.RFC3339, text); err == nil {
			return strconv.FormatInt(at.Unix(), 10), nil
		}
	case registry.Opaque:
		if digits, ok := strings.CutPrefix(text, "0x"); ok {
			raw, err := hex.DecodeString(digits)
			if err != nil {
				return "", err // it shows one byte at most
			}
			return base64.StdEncoding.EncodeToString(raw), nil
		}
	}
	return text, nil
}

// guess returns the value that a text looks like.
func guess(text string) dm.Value {
	if n, err := strconv.ParseInt(text, 10, 64); err == nil {
		return dm.IntegerValue(n)
	}
	if f, err := strconv.ParseFloat(text, 64); err == nil && strings.Trim(text, "+-.0123456789eE") == "" {
		return dm.FloatValue(f)
	}
	if text == "true" || text == "false" {
		return dm.BooleanValue(text == "true")
	}
	return dm.StringValue(text)
}
