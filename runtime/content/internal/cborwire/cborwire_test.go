package cborwire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"math"
	"testing"

	"github.com/fxamacker/cbor/v2"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/cborwire"
	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// read reads a payload of one item.
func read(b []byte) (scalar.Scalar, error) {
	r := cborwire.Reader{B: b}
	v, err := r.Scalar()
	if err != nil {
		return v, err
	}
	return v, r.End()
}

func whole(mag uint64) scalar.Scalar    { return scalar.Scalar{Kind: scalar.Int, Mag: mag} }
func negative(mag uint64) scalar.Scalar { return scalar.Scalar{Kind: scalar.Int, Neg: true, Mag: mag} }
func text(s string) scalar.Scalar       { return scalar.Scalar{Kind: scalar.Text, B: []byte(s)} }
func raw(b ...byte) scalar.Scalar       { return scalar.Scalar{Kind: scalar.Bytes, B: b} }

func same(a, b scalar.Scalar) bool {
	return a.Kind == b.Kind && a.True == b.True && a.Neg == b.Neg && a.Mag == b.Mag &&
		math.Float64bits(a.F) == math.Float64bits(b.F) && bytes.Equal(a.B, b.B)
}

// appendixA are the scalars of RFC 8949 Appendix A.
var appendixA = []struct {
	hex  string
	want scalar.Scalar
}{
	{"00", whole(0)}, {"01", whole(1)}, {"0a", whole(10)}, {"17", whole(23)}, {"1818", whole(24)},
	{"1819", whole(25)}, {"1864", whole(100)}, {"1903e8", whole(1000)}, {"1a000f4240", whole(1000000)},
	{"1b000000e8d4a51000", whole(1000000000000)},
	{"1bffffffffffffffff", whole(18446744073709551615)},
	{"3bffffffffffffffff", scalar.FromFloat(-18446744073709551616)},
	{"20", negative(1)}, {"29", negative(10)}, {"3863", negative(100)}, {"3903e7", negative(1000)},
	{"f90000", scalar.FromFloat(0)}, {"f98000", scalar.FromFloat(math.Copysign(0, -1))},
	{"f93c00", scalar.FromFloat(1)}, {"fb3ff199999999999a", scalar.FromFloat(1.1)},
	{"f93e00", scalar.FromFloat(1.5)}, {"f97bff", scalar.FromFloat(65504)},
	{"fa47c35000", scalar.FromFloat(100000)}, {"fa7f7fffff", scalar.FromFloat(3.4028234663852886e+38)},
	{"fb7e37e43c8800759c", scalar.FromFloat(1e300)}, {"f90001", scalar.FromFloat(5.960464477539063e-8)},
	{"f90400", scalar.FromFloat(0.00006103515625)}, {"f9c400", scalar.FromFloat(-4)},
	{"fbc010666666666666", scalar.FromFloat(-4.1)}, {"f97c00", scalar.FromFloat(math.Inf(1))},
	{"f9fc00", scalar.FromFloat(math.Inf(-1))}, {"fa7f800000", scalar.FromFloat(math.Inf(1))},
	{"fb7ff0000000000000", scalar.FromFloat(math.Inf(1))}, {"fbfff0000000000000", scalar.FromFloat(math.Inf(-1))},
	{"f4", scalar.Scalar{Kind: scalar.Bool}}, {"f5", scalar.Scalar{Kind: scalar.Bool, True: true}},
	{"f6", scalar.Scalar{}},
	{"c074323031332d30332d32315432303a30343a30305a", scalar.Scalar{Kind: scalar.Date, B: []byte("2013-03-21T20:04:00Z")}},
	{"c11a514b67b0", whole(1363896240)}, {"c1fb41d452d9ec200000", scalar.FromFloat(1363896240.5)},
	{"40", raw()}, {"4401020304", raw(1, 2, 3, 4)}, {"60", text("")}, {"6161", text("a")},
	{"6449455446", text("IETF")}, {"62225c", text("\"\\")}, {"62c3bc", text("ü")}, {"63e6b0b4", text("水")},
	{"64f0908591", text("\U00010151")},
	{"5f42010243030405ff", raw(1, 2, 3, 4, 5)}, {"7f657374726561646d696e67ff", text("streaming")},
}

func TestAppendixA(t *testing.T) {
	for _, v := range appendixA {
		got, err := read(unhex(t, v.hex))
		if err != nil || !same(got, v.want) {
			t.Errorf("RFC 8949 Appendix A, %s: %+v, %v; want %+v", v.hex, got, err, v.want)
		}
	}
}

func TestNaN(t *testing.T) {
	for _, s := range []string{"f97e00", "fa7fc00000", "fb7ff8000000000000"} {
		if v, err := read(unhex(t, s)); err != nil || !math.IsNaN(v.F) {
			t.Errorf("%s: %+v, %v; want NaN", s, v, err)
		}
	}
}

// TestDecimal covers decimal fractions (RFC 8949 §3.4.4).
func TestDecimal(t *testing.T) {
	for _, v := range []struct {
		hex  string
		want scalar.Scalar
	}{
		{"c48221196ab3", scalar.FromFloat(273.15)}, // the RFC's own
		{"c4820002", whole(2)},                     // 2e0
		{"c4820302", whole(2000)},                  // 2e3
		{"c4822118c8", whole(2)},                   // 200e-2
		{"c4822038c7", negative(20)},               // -200e-1
		{"c4821318c8", scalar.FromFloat(200e19)},   // beyond 64 bits
		{"c49f2118c8ff", whole(2)},                 // an array of indefinite length
		{"c482390fff01", scalar.FromFloat(0)},      // 1e-4096 is the nearest float64's zero
		{"c48220187b", scalar.FromFloat(12.3)},     // 123e-1
		{"c482203904d1", scalar.FromFloat(-123.4)}, // -1234e-1
		{"c4821b7fffffffffffffff00", whole(0)},     // nothing, however large the exponent
		{"c482201bffffffffffffffff", scalar.FromFloat(1844674407370955161.5)},
	} {
		got, err := read(unhex(t, v.hex))
		if err != nil || !same(got, v.want) {
			t.Errorf("%s: %+v, %v; want %+v", v.hex, got, err, v.want)
		}
	}
}

func TestRefused(t *testing.T) {
	for _, v := range []struct {
		name, hex string
		want      error
	}{
		{"nothing", "", cborwire.ErrShort},
		{"reserved additional information", "1c", cborwire.ErrReserved},
		{"indefinite number", "1f", cborwire.ErrReserved},
		{"indefinite tag", "df", cborwire.ErrReserved},
		{"simple value in two bytes below 32", "f818", cborwire.ErrReserved},
		{"unassigned simple value", "f0", cborwire.ErrNoValue},
		{"undefined", "f7", cborwire.ErrNoValue},
		{"a break alone", "ff", cborwire.ErrKind},
		{"an array", "80", cborwire.ErrKind},
		{"a map", "a0", cborwire.ErrKind},
		{"text that is not UTF-8", "61ff", cborwire.ErrUTF8},
		{"a surrogate", "63eda080", cborwire.ErrUTF8},
		{"a character split among pieces", "7f61c361bcff", cborwire.ErrUTF8},
		{"a piece of another kind", "7f4161ff", cborwire.ErrKind},
		{"a piece of indefinite length", "7f7f6161ffff", cborwire.ErrKind},
		{"a length that lies", "5bffffffffffffffff00", cborwire.ErrShort},
		{"trailing bytes", "0000", cborwire.ErrTrailing},
		{"bignum", "c249010000000000000000", cborwire.ErrTag},
		{"bigfloat", "c5822003", cborwire.ErrTag},
		{"unknown tag", "d82000", cborwire.ErrTag},
		{"tag in a tag", "c1c100", cborwire.ErrTagged},
		{"date that is a number", "c000", cborwire.ErrTagged},
		{"epoch that is text", "c16130", cborwire.ErrTagged},
		{"decimal fraction of one part", "c48101", cborwire.ErrTagged},
		{"decimal fraction of three parts", "c483010203", cborwire.ErrTagged},
		{"decimal fraction of floats", "c482f93c0001", cborwire.ErrTagged},
		{"decimal fraction that is too large", "c4821a7fffffff01", cborwire.ErrNumber},
		{"decimal fraction with an exponent beyond 64 bits", "c4821bffffffffffffffff01", cborwire.ErrNumber},
		{"decimal fraction that is a map", "c4a10102", cborwire.ErrKind},
	} {
		t.Run(v.name, func(t *testing.T) {
			if got, err := read(unhex(t, v.hex)); !errors.Is(err, v.want) {
				t.Errorf("%s: %+v, %v; want %v", v.hex, got, err, v.want)
			}
		})
	}
}

// TestTruncated cuts every vector at every byte.
func TestTruncated(t *testing.T) {
	for _, v := range appendixA {
		b := unhex(t, v.hex)
		for n := range b {
			if got, err := read(b[:n]); !errors.Is(err, cborwire.ErrShort) {
				t.Errorf("%s cut to %d bytes: %+v, %v", v.hex, n, got, err)
			}
		}
	}
}

// TestHead checks that parsing, appending and the length of heads agree.
func TestHead(t *testing.T) {
	args := []uint64{0, 1, 23, 24, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, math.MaxUint64}
	for major := cborwire.Unsigned; major <= cborwire.Tag; major++ {
		for _, arg := range args {
			b := cborwire.AppendHead([]byte{0xaa}, major, arg)[1:]
			if len(b) != cborwire.HeadLen(arg) {
				t.Errorf("HeadLen(%d) = %d, appended %d", arg, cborwire.HeadLen(arg), len(b))
			}
			h, n, err := cborwire.ParseHead(append(b, 0))
			if err != nil || n != len(b) || h.Major != major || h.Arg != arg || h.Indefinite {
				t.Errorf("head %x: %+v, %d, %v", b, h, n, err)
			}
			for n := range b {
				if _, _, err := cborwire.ParseHead(b[:n]); !errors.Is(err, cborwire.ErrShort) {
					t.Errorf("head %x cut to %d bytes: %v", b, n, err)
				}
			}
		}
	}
}

func TestFillHead(t *testing.T) {
	for _, n := range []int{0, 1, 23, 24, 255, 256, 70000} {
		content := bytes.Repeat([]byte{0x01}, n)
		b := cborwire.FillHead(append([]byte{0xaa, 0}, content...), 1, cborwire.Array, uint64(n))
		want := append(cborwire.AppendHead([]byte{0xaa}, cborwire.Array, uint64(n)), content...)
		if !bytes.Equal(b, want) {
			t.Errorf("array of %d: the head did not make room for itself", n)
		}
	}
}

// TestHalf tries every half float: each is read as fxamacker/cbor reads it, and written back as
// short.
func TestHalf(t *testing.T) {
	for u := range 1 << 16 {
		b := []byte{0xf9, byte(u >> 8), byte(u)}
		v, err := read(b)
		if err != nil {
			t.Fatalf("%x: %v", b, err)
		}
		var want float64
		if err := cbor.Unmarshal(b, &want); err != nil {
			t.Fatal(err)
		}
		if v.F != want && !(math.IsNaN(v.F) && math.IsNaN(want)) || math.Signbit(v.F) != math.Signbit(want) {
			t.Fatalf("%x: %v, want %v", b, v.F, want)
		}
		if got := cborwire.AppendFloat(nil, v.F); !bytes.Equal(got, b) {
			t.Fatalf("%v written as %x, read from %x", v.F, got, b)
		}
	}
}

// TestFloat compares AppendFloat with the shortest floats of fxamacker/cbor.
func TestFloat(t *testing.T) {
	mode, err := cbor.EncOptions{ShortestFloat: cbor.ShortestFloat16}.EncMode()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range []float64{0, 1, -1, 0.1, 22.5, 1e10, 65504, 65505, 65536, 5.960464477539063e-8, 2.9802322387695312e-8,
		6.1e-5, 0.00006103515625, math.MaxFloat32, math.MaxFloat64, math.SmallestNonzeroFloat64, math.SmallestNonzeroFloat32,
		math.Inf(1), math.Inf(-1), 1.0009765625, 1.00048828125, 100000, math.Copysign(0, -1)} {
		want, err := mode.Marshal(f)
		if err != nil {
			t.Fatal(err)
		}
		got := cborwire.AppendFloat(nil, f)
		if !bytes.Equal(got, want) || cborwire.FloatLen(f) != len(want) {
			t.Errorf("%v: %x of length %d, want %x", f, got, cborwire.FloatLen(f), want)
		}
	}
}

func TestAppend(t *testing.T) {
	for _, v := range []struct {
		got  []byte
		want any
	}{
		{cborwire.AppendInt(nil, math.MinInt64), int64(math.MinInt64)},
		{cborwire.AppendInt(nil, -1), int64(-1)},
		{cborwire.AppendInt(nil, math.MaxInt64), int64(math.MaxInt64)},
		{cborwire.AppendUint(nil, math.MaxUint64), uint64(math.MaxUint64)},
		{cborwire.AppendText(nil, "水"), "水"},
		{cborwire.AppendBytes(nil, []byte{1, 2}), []byte{1, 2}},
		{cborwire.AppendBool(nil, true), true},
		{cborwire.AppendBool(nil, false), false},
		{cborwire.AppendNull(nil), nil},
	} {
		want, err := cbor.Marshal(v.want)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(v.got, want) {
			t.Errorf("%v: %x, want %x", v.want, v.got, want)
		}
	}
}

func TestSkip(t *testing.T) {
	nested := append(bytes.Repeat([]byte{0x81}, 10), 0)
	for _, b := range [][]byte{nested, unhex(t, "a201820203048163616263"), unhex(t, "bf6346756ef563416d7421ff"),
		unhex(t, "9f018202039f0405ffff"), unhex(t, "d9d9f7f7"), unhex(t, "5f4101ff")} {
		r := cborwire.Reader{B: b}
		if err := r.Skip(); err != nil || r.Pos != len(b) {
			t.Errorf("%x: stopped at %d with %v", b, r.Pos, err)
		}
		for n := range b {
			r := cborwire.Reader{B: b[:n]}
			if err := r.Skip(); !errors.Is(err, cborwire.ErrShort) {
				t.Errorf("%x cut to %d bytes: %v", b, n, err)
			}
		}
	}
	deep := cborwire.Reader{B: append(bytes.Repeat([]byte{0x81}, 1000), 0)}
	if err := deep.Skip(); !errors.Is(err, cborwire.ErrDepth) {
		t.Errorf("nested a thousand times: %v", err)
	}
}

// FuzzScalar checks that the reader accepts only payloads that fxamacker/cbor accepts, with the
// same result.
func FuzzScalar(f *testing.F) {
	for _, v := range appendixA {
		f.Add(unhex(f, v.hex))
	}
	f.Add(cborwire.AppendFloat(nil, 0.1))
	f.Add(cborwire.AppendInt(nil, -70000))
	f.Add(unhex(f, "c48221196ab3"))
	f.Fuzz(func(t *testing.T, b []byte) {
		v, err := read(b)
		skip := cborwire.Reader{B: b}
		if serr := skip.Skip(); err == nil && (serr != nil || skip.Pos != len(b)) {
			t.Fatalf("%x: read, but skipped to %d with %v", b, skip.Pos, serr)
		}
		if err != nil {
			return
		}
		if b[0]>>5 == cborwire.Tag { // the peer makes dates and large numbers of tags
			if err := cbor.Wellformed(b); err != nil {
				t.Fatalf("%x: read as %+v, not well-formed: %v", b, v, err)
			}
			return
		}
		var peer any
		if err := cbor.Unmarshal(b, &peer); err != nil {
			t.Fatalf("%x: read as %+v, refused by the peer: %v", b, v, err)
		}
		agree := true
		switch p := peer.(type) {
		case uint64:
			u, ok := v.Uint64()
			agree = ok && u == p
		case int64:
			i, ok := v.Int64()
			agree = ok && i == p
		case float64:
			agree = v.Float64() == p || math.IsNaN(p) && math.IsNaN(v.Float64())
		case string:
			agree = string(v.B) == p
		case []byte:
			agree = bytes.Equal(v.B, p)
		case bool:
			agree = v.Kind == scalar.Bool && v.True == p
		case nil:
			agree = v.Kind == scalar.Null
		}
		if !agree {
			t.Fatalf("%x: read as %+v, by the peer as %v", b, v, peer)
		}
	})
}
