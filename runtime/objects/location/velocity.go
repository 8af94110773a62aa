package location

import (
	"math"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Velocity is a velocity over ground, in m/s. The zero value of an optional field means that it is
// unknown.
type Velocity struct {
	// Bearing is the direction in degrees, clockwise from north.
	Bearing float64
	// Horizontal is the speed over ground.
	Horizontal float64
	// Vertical is the speed upwards, negative downwards. Optional.
	Vertical dm.Res[float64]
	// HorizontalUncertainty and VerticalUncertainty are how far the two speeds may be from the true
	// ones. Optional.
	HorizontalUncertainty, VerticalUncertainty dm.Res[float64]
}

// The types of velocity (3GPP TS 23.032 §8.11).
const (
	horizontal byte = iota << 4
	horizontalVertical
	horizontalUncertain
	horizontalVerticalUncertain
)

// Encode returns the octets of 3GPP TS 23.032 §8, as in /6/0/4: the shortest of the four forms that
// has what is known. The form holds whole degrees and whole km/h; a speed that is too large for it
// becomes the largest one, and such an uncertainty unknown.
func (v Velocity) Encode() []byte {
	bearing := int(math.Round(math.Mod(finite(v.Bearing), 360))+360) % 360
	speed := kmh(v.Horizontal, math.MaxUint16)
	b := []byte{byte(bearing >> 8), byte(bearing), byte(speed >> 8), byte(speed)}
	vertical, hasVertical := v.Vertical.Get()
	_, uncertain := v.HorizontalUncertainty.Get()
	_, verticalUncertain := v.VerticalUncertainty.Get()
	verticalUncertain = verticalUncertain && hasVertical
	if hasVertical {
		if vertical < 0 {
			b[0] |= 1 << 1 // downwards
		}
		b = append(b, byte(kmh(math.Abs(vertical), math.MaxUint8)))
	}
	switch {
	case hasVertical && (uncertain || verticalUncertain):
		b[0] |= horizontalVerticalUncertain
		return append(b, uncertainty(v.HorizontalUncertainty), uncertainty(v.VerticalUncertainty))
	case hasVertical:
		b[0] |= horizontalVertical
	case uncertain:
		b[0] |= horizontalUncertain
		return append(b, uncertainty(v.HorizontalUncertainty))
	}
	return b
}

// speed returns the magnitude.
func (v Velocity) speed() float64 { return math.Hypot(v.Horizontal, v.Vertical.Or(0)) }

// kmh converts from m/s and rounds.
func kmh(v float64, limit int) int {
	return int(min(max(math.Round(finite(v)*3.6), 0), float64(limit)))
}

// uncertainty returns the octet of an uncertainty, rounded up, or 255 for an unknown one.
func uncertainty(r dm.Res[float64]) byte {
	v, ok := r.Get()
	if n := math.Ceil(v * 3.6); ok && n >= 0 && n < math.MaxUint8 {
		return byte(n)
	}
	return math.MaxUint8
}

// finite returns v, or 0 for what is no number.
func finite(v float64) float64 {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	return v
}
