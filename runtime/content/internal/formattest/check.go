package formattest

import (
	"cmp"
	"errors"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Truncated cuts a payload at every byte and checks that the decoder refuses the rest with 4.00.
// Where ends reports that the rest is a whole payload, the rest must hold the first of the entries.
func Truncated(t *testing.T, d Decoder, r content.Request, payload []byte, ends func(n int) bool) {
	t.Helper()
	all := Decode(t, d, r, payload)
	for n := range payload {
		got, err := TryDecode(d, r, payload[:n])
		if ends != nil && ends(n) {
			if err != nil || !Same(got, all[:min(len(got), len(all))]) {
				t.Errorf("cut to %d bytes, which is a whole payload: %v", n, err)
			}
			continue
		}
		if !errors.Is(err, dm.BadRequest) {
			t.Errorf("cut to %d of %d bytes: %v; want 4.00", n, len(payload), err)
		}
	}
}

// Refused fails the test unless the payload is refused with a code, for the given path. An empty
// path matches any.
func Refused(t *testing.T, d Decoder, r content.Request, payload []byte, code dm.Code, path string) {
	t.Helper()
	got, err := TryDecode(d, r, payload)
	var e *dm.Error
	if !errors.As(err, &e) || !errors.Is(err, code) {
		t.Fatalf("got %v, %v; want %v", got, err, code)
	}
	if path != "" && e.Path != Path(path) {
		t.Errorf("the error names %v, not %s: %v", e.Path, path, err)
	}
}

// Quirks say what a format does not preserve.
type Quirks struct {
	// NoEmpty says that empty nodes are left out.
	NoEmpty bool
	// Untyped says that a value of a resource without a definition may come back with another type.
	Untyped bool
}

// RoundTrip decodes a payload and, if that succeeds, encodes its entries and decodes them again:
// they must be the same. A refusal must be a *dm.Error with a code of the 4.xx class.
func RoundTrip(t *testing.T, e Encoder, d Decoder, r content.Request, payload []byte, q Quirks) {
	t.Helper()
	first, err := TryDecode(d, r, payload)
	if err != nil {
		var coded *dm.Error
		if !errors.As(err, &coded) || coded.Code>>5 != 4 {
			t.Fatalf("%x: refused with %v", payload, err)
		}
		return
	}
	first = normal(first, q)
	b, err := TryEncode(e, content.Target{Base: r.Base, Root: r.Root, Prefix: r.Prefix}, first)
	if len(first) == 0 && errors.Is(err, dm.NotAcceptable) {
		return
	}
	if err != nil {
		t.Fatalf("%x: decoded to %v, which does not encode: %v", payload, texts(first), err)
	}
	second, err := TryDecode(d, r, b)
	if err != nil {
		t.Fatalf("%x: encoded as %x, which does not decode: %v", payload, b, err)
	}
	if second = normal(second, q); !Same(first, second) {
		t.Fatalf("%x: decoded to %v, encoded as %x, decoded to %v", payload, texts(first), b, texts(second))
	}
}

// normal sorts entries and removes those that the format does not preserve (see Quirks). It also
// removes those that no data model has: a resource with resource instances that is also empty or
// has a value.
func normal(entries []dm.Entry, q Quirks) []dm.Entry {
	slices.SortFunc(entries, func(a, b dm.Entry) int {
		return cmp.Or(a.Path.Compare(b.Path), cmp.Compare(a.Time, b.Time))
	})
	var kept []dm.Entry
	for i, e := range entries {
		none := e.Value.Type() == registry.None
		next := i+1 < len(entries) && e.Path.Contains(entries[i+1].Path) && e.Path != entries[i+1].Path
		o := Schema(e.Path.Object())
		untyped := o == nil || o.Resource(uint16(e.Path.Resource())) == nil
		if none && (q.NoEmpty || next) || !none && q.Untyped && untyped {
			continue
		}
		if e.Path.Level() == dm.ResourceInstanceLevel && slices.ContainsFunc(kept, func(k dm.Entry) bool {
			return k.Path == e.Path.Up(dm.ResourceLevel)
		}) {
			continue
		}
		kept = append(kept, e)
	}
	return kept
}

func texts(entries []dm.Entry) []string {
	var all []string
	for _, e := range entries {
		all = append(all, text(e))
	}
	return all
}

// bases are the paths of the requests for fuzzing.
var bases = []string{
	"/", "/3", "/3/0", "/3/0/6", "/3/0/6/1",
	"/33001", "/33001/0", "/33001/0/1", "/33001/0/24", "/33001/0/24/100", "/9999/1",
}

// FuzzRequest returns one of the requests that fuzzing tries.
func FuzzRequest(n uint8) content.Request {
	r := Request(bases[int(n)%len(bases)])
	if n&64 != 0 {
		r.Root = "/lwm2m"
	}
	if n >= 128 && r.Base.Level() == dm.ObjectLevel {
		r.Create, r.NewInstance = true, 5
	}
	return r
}

// FuzzBase returns the number with which FuzzRequest returns a request for the base, for seeds.
func FuzzBase(base string) uint8 { return uint8(max(0, slices.Index(bases, base))) }
