package jsonwire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/content/internal/jsonwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
)

// read reads a payload of one scalar.
func read(s string) (scalar.Scalar, error) {
	r := jsonwire.Reader{B: []byte(s)}
	v, err := r.Scalar()
	if err != nil {
		return v, err
	}
	return v, r.End()
}

func TestStrings(t *testing.T) {
	for _, v := range []struct{ in, want string }{
		{`""`, ""}, {`"a"`, "a"}, {` "a" `, "a"}, {`"水"`, "水"}, {`"\u6c34"`, "水"}, {`"\uD834\udd1E"`, "𝄞"},
		{`"\"\\\/\b\f\n\r\t"`, "\"\\/\b\f\n\r\t"}, {`"a\u0000b"`, "a\x00b"}, {`"x\u00e9y"`, "xéy"}, {"\"\x7f\"", "\x7f"},
	} {
		got, err := read(v.in)
		if err != nil || got.Kind != scalar.Text || string(got.B) != v.want {
			t.Errorf("%s: %q, %v; want %q", v.in, got.B, err, v.want)
		}
	}
}

func TestNumbers(t *testing.T) {
	whole := func(mag uint64) scalar.Scalar { return scalar.Scalar{Kind: scalar.Int, Mag: mag} }
	negative := func(mag uint64) scalar.Scalar { return scalar.Scalar{Kind: scalar.Int, Neg: true, Mag: mag} }
	for _, v := range []struct {
		in   string
		want scalar.Scalar
	}{
		{"0", whole(0)}, {"-0", negative(0)}, {"1", whole(1)}, {"-1", negative(1)}, {"1.0", whole(1)},
		{"1e3", whole(1000)}, {"1E+3", whole(1000)}, {"150e-1", whole(15)}, {"1.50", scalar.FromFloat(1.5)},
		{"18446744073709551615", whole(math.MaxUint64)}, {"-9223372036854775808", negative(1 << 63)},
		{"18446744073709551616", scalar.FromFloat(18446744073709551616)}, {"1e19", whole(1e19)}, {"1e20", scalar.FromFloat(1e20)},
		{"0.1", scalar.FromFloat(0.1)}, {"1e-400", scalar.FromFloat(0)}, {"0e99999999999999999999", whole(0)},
		{"1e-99999999999999999999", scalar.FromFloat(0)}, {"2.2250738585072011e-308", scalar.FromFloat(2.2250738585072011e-308)},
		{"123456789012345678901234567890", scalar.FromFloat(123456789012345678901234567890)},
		{"0.30000000000000004", scalar.FromFloat(0.30000000000000004)}, {"-1.5e300", scalar.FromFloat(-1.5e300)},
		{"1." + strings.Repeat("0", 400), scalar.FromFloat(1)},
	} {
		got, err := read(v.in)
		if err != nil || got.Kind != v.want.Kind || got.Neg != v.want.Neg || got.Mag != v.want.Mag || got.F != v.want.F {
			t.Errorf("%s: %+v, %v; want %+v", v.in, got, err, v.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, v := range []struct {
		name, in string
		want     error
	}{
		{"nothing", "", jsonwire.ErrShort},
		{"blanks", " \t\r\n", jsonwire.ErrShort},
		{"leading zero", "01", jsonwire.ErrNumber},
		{"plus", "+1", jsonwire.ErrKind},
		{"no digit before the point", ".5", jsonwire.ErrKind},
		{"no digit after the point", "1.x", jsonwire.ErrNumber},
		{"no exponent", "1ex", jsonwire.ErrNumber},
		{"minus alone", "-x", jsonwire.ErrNumber},
		{"too large", "1e400", jsonwire.ErrNumber},
		{"too large, written out", strings.Repeat("9", 400), jsonwire.ErrNumber},
		{"NaN", "NaN", jsonwire.ErrKind},
		{"Infinity", "-Infinity", jsonwire.ErrNumber},
		{"hexadecimal", "0x10", jsonwire.ErrTrailing},
		{"True", "True", jsonwire.ErrKind},
		{"truth", "truth", jsonwire.ErrLiteral},
		{"nul", "nul ", jsonwire.ErrLiteral},
		{"control character", "\"a\nb\"", jsonwire.ErrControl},
		{"control character after an escape", "\"\\n\n\"", jsonwire.ErrControl},
		{"not UTF-8", "\"\xff\"", jsonwire.ErrUTF8},
		{"not UTF-8 after an escape", "\"\\n\xff\"", jsonwire.ErrUTF8},
		{"unknown escape", `"\x"`, jsonwire.ErrEscape},
		{"escape without digits", `"\u12g4"`, jsonwire.ErrEscape},
		{"high surrogate alone", `"\ud834"`, jsonwire.ErrEscape},
		{"high surrogate before another escape", `"\ud834\n...."`, jsonwire.ErrEscape},
		{"high surrogate twice", `"\ud834\ud834"`, jsonwire.ErrEscape},
		{"low surrogate alone", `"\udd1e"`, jsonwire.ErrEscape},
		{"single quotes", `'a'`, jsonwire.ErrKind},
		{"byte order mark", "\ufeff1", jsonwire.ErrKind},
		{"trailing text", "1 2", jsonwire.ErrTrailing},
		{"NUL", "\x00", jsonwire.ErrKind},
		{"an array", "[]", jsonwire.ErrKind},
	} {
		t.Run(v.name, func(t *testing.T) {
			if got, err := read(v.in); !errors.Is(err, v.want) {
				t.Errorf("%q: %+v, %v; want %v", v.in, got, err, v.want)
			}
		})
	}
}

func TestSkip(t *testing.T) {
	const all = `{"a":[1,-2.5e3,"x\n",true,false,null,{},[]],"b":{"c":"d"}}`
	r := jsonwire.Reader{B: []byte(all)}
	if err := r.Skip(); err != nil || r.Pos != len(all) {
		t.Fatalf("stopped at %d with %v", r.Pos, err)
	}
	for n := range len(all) {
		r := jsonwire.Reader{B: []byte(all[:n])}
		if err := r.Skip(); !errors.Is(err, jsonwire.ErrShort) {
			t.Errorf("cut to %q: %v", all[:n], err)
		}
	}
	for _, bad := range []string{"[1,]", "[,1]", "[1 2]", `{"a"}`, `{"a":}`, `{1:2}`, `{"a":1,}`, "[1}", "{]"} {
		r := jsonwire.Reader{B: []byte(bad)}
		if err := r.Skip(); err == nil {
			t.Errorf("%s is taken for JSON", bad)
		}
	}
	deep := jsonwire.Reader{B: bytes.Repeat([]byte{'['}, 1000)}
	if err := deep.Skip(); !errors.Is(err, jsonwire.ErrDepth) {
		t.Errorf("nested a thousand times: %v", err)
	}
}

func TestAppendString(t *testing.T) {
	for _, s := range []string{"", "a", "\"\\/", "\x00\x1f\n\r\t\x7f", "水\u2028</script>", strings.Repeat("é\"", 50)} {
		var got string
		b := jsonwire.AppendString(nil, s)
		if err := json.Unmarshal(b, &got); err != nil || got != s {
			t.Errorf("%q: %s reads back as %q, %v", s, b, got, err)
		}
	}
}

func TestAppendFloat(t *testing.T) {
	for _, f := range []float64{0, math.Copysign(0, -1), 1, -1.5, 0.1, 1e-7, 1e21, 1e20, math.MaxFloat64, math.SmallestNonzeroFloat64, 22.4, 1 << 53} {
		b := jsonwire.AppendFloat(nil, f)
		got, err := read(string(b))
		if err != nil || math.Float64bits(got.Float64()) != math.Float64bits(f) {
			t.Errorf("%v: %s reads back as %v, %v", f, b, got.Float64(), err)
		}
		if !json.Valid(b) {
			t.Errorf("%v: %s is no JSON", f, b)
		}
	}
}

// FuzzScalar checks that the reader accepts the payloads that encoding/json accepts, with the same
// result. The two differ only in strings: encoding/json replaces bytes that are not UTF-8.
func FuzzScalar(f *testing.F) {
	for _, s := range []string{"0", "-0", "1e3", "1.5", "18446744073709551615", "1e400", "01", `"a"`, `"\ud834\udd1e"`, `"\ud834"`,
		"true", "false", "null", "nul", " 1 ", "[1]"} {
		f.Add([]byte(s))
	}
	f.Add(jsonwire.AppendString(nil, "a\x00\"水"))
	f.Add(jsonwire.AppendFloat(nil, 1e-300))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := read(string(b))
		var peer any
		dec := json.NewDecoder(bytes.NewReader(b))
		dec.UseNumber()
		perr := dec.Decode(&peer)
		if !json.Valid(b) {
			if err == nil {
				t.Fatalf("%q: read as %+v, refused by the peer: %v", b, v, perr)
			}
			return
		}
		switch p := peer.(type) {
		case json.Number:
			want, rerr := p.Float64()
			if (rerr == nil) != (err == nil) || err == nil && v.Float64() != want {
				t.Fatalf("%q: %v, %v; the peer has %v, %v", b, v.Float64(), err, want, rerr)
			}
		case string:
			if err == nil && string(v.B) != p {
				t.Fatalf("%q: %q, the peer has %q", b, v.B, p)
			}
		case bool:
			if err != nil || v.Kind != scalar.Bool || v.True != p {
				t.Fatalf("%q: %+v, %v; the peer has %v", b, v, err, p)
			}
		case nil:
			if err != nil || v.Kind != scalar.Null {
				t.Fatalf("%q: %+v, %v; the peer has null", b, v, err)
			}
		default:
			if err == nil {
				t.Fatalf("%q: read as %+v", b, v)
			}
		}
	})
}
