package jsonwire

import (
	"strconv"

	"github.com/lwm2mgen/toolkit/runtime/content/internal/scalar"
)

// decimal is a number as the payload writes it.
type decimal struct {
	neg   bool
	mag   uint64 // the digits without the point
	exp   int64  // the power of ten that multiplies mag
	exact bool   // whether mag holds all digits
}

// number reads a number. A whole number of 64 bits stays exact, also when it is written as 1.0 or
// 1e3.
func (r *Reader) number() (scalar.Scalar, error) {
	start := r.Pos
	d, err := r.decimal()
	if err != nil {
		return scalar.Scalar{}, err
	}
	if d.exact {
		if d.exp == 0 {
			return scalar.Scalar{Kind: scalar.Int, Neg: d.neg, Mag: d.mag}, nil
		}
		v, ok := scalar.Decimal(d.neg, d.mag, d.exp)
		if !ok {
			return v, ErrNumber
		}
		return v, nil
	}
	f, err := strconv.ParseFloat(string(r.B[start:r.Pos]), 64)
	if err != nil {
		return scalar.Scalar{}, ErrNumber
	}
	return scalar.FromFloat(f), nil
}

// decimal reads a number by the grammar of RFC 8259 §6.
func (r *Reader) decimal() (decimal, error) {
	d := decimal{exact: true}
	if r.B[r.Pos] == '-' {
		d.neg = true
		r.Pos++
	}
	zero := r.Pos < len(r.B) && r.B[r.Pos] == '0'
	n := r.digits(&d)
	if n == 0 {
		return d, r.malformed()
	}
	if zero && n > 1 {
		return d, ErrNumber
	}
	if r.Pos < len(r.B) && r.B[r.Pos] == '.' {
		r.Pos++
		n := r.digits(&d)
		if n == 0 {
			return d, r.malformed()
		}
		d.exp = -int64(n)
	}
	if r.Pos < len(r.B) && r.B[r.Pos]|0x20 == 'e' {
		r.Pos++
		err := r.exponent(&d)
		return d, err
	}
	return d, nil
}

func (r *Reader) malformed() error {
	if r.Pos == len(r.B) {
		return ErrShort
	}
	return ErrNumber
}

// digits reads decimal digits into the magnitude and returns how many there are.
func (r *Reader) digits(d *decimal) int {
	start := r.Pos
	for ; r.Pos < len(r.B); r.Pos++ {
		c := uint64(r.B[r.Pos]) - '0'
		if c > 9 {
			break
		}
		if d.mag > (1<<64-1-c)/10 {
			d.exact = false
			continue
		}
		d.mag = d.mag*10 + c
	}
	return r.Pos - start
}

// maxExponent is the largest exponent that is read exactly. Beyond it a number is zero or too
// large.
const maxExponent = 1 << 20

func (r *Reader) exponent(d *decimal) error {
	neg := false
	if r.Pos < len(r.B) && (r.B[r.Pos] == '+' || r.B[r.Pos] == '-') {
		neg = r.B[r.Pos] == '-'
		r.Pos++
	}
	start, exp := r.Pos, int64(0)
	for ; r.Pos < len(r.B); r.Pos++ {
		c := r.B[r.Pos] - '0'
		if c > 9 {
			break
		}
		if exp < maxExponent {
			exp = exp*10 + int64(c)
		}
	}
	if r.Pos == start {
		return r.malformed()
	}
	if neg {
		exp = -exp
	}
	d.exp += exp
	return nil
}
