package omaxml

import "strings"

// unitWords are the units that may follow the numbers of a range, each with the words and symbols
// for it. Letters that mean something else, too, such as k, m and M, are left out: they count as a
// unit only if the resource has that unit.
var unitWords = map[string][]string{
	"%":    {"percent", "per cent", "pct", "/100", "%RH"},
	"Cel":  {"C", "°C", "℃", "degC", "deg C", "degrees C", "Celsius", "degree Celsius", "degrees Celsius"},
	"degF": {"°F", "℉", "Fahrenheit", "degrees Fahrenheit"},
	"K":    {"Kelvin"},
	"V":    {"volt", "volts"}, "mV": {"millivolt", "millivolts"}, "kV": nil,
	"A": {"amp", "amps", "ampere", "amperes"}, "mA": {"milliampere", "milliamperes"},
	"W": {"watt", "watts"}, "mW": nil, "kW": {"kilowatt", "kilowatts"}, "Wh": nil, "kWh": nil, "J": nil, "kJ": nil,
	"us":  {"µs", "μs", "microsecond", "microseconds"},
	"ms":  {"msec", "millisecond", "milliseconds"},
	"s":   {"sec", "secs", "second", "seconds"},
	"min": {"mins", "minute", "minutes"}, "h": {"hr", "hrs", "hour", "hours"},
	"d": {"day", "days"}, "wk": {"week", "weeks"}, "mo": {"month", "months"}, "a": {"year", "years"},
	"mm": {"millimeter", "millimeters", "millimetre", "millimetres"},
	"cm": {"centimeter", "centimeters", "centimetre", "centimetres"},
	"m":  {"meter", "meters", "metre", "metres"}, "km": {"kilometer", "kilometers", "kilometre", "kilometres"},
	"Hz": {"hertz"}, "kHz": nil, "MHz": nil, "GHz": nil, "rpm": nil, "m/s": nil, "km/h": nil,
	"dB": {"decibel", "decibels"}, "dBm": nil, "lx": {"lux"}, "lm": {"lumen", "lumens"},
	"Pa": {"pascal", "pascals"}, "hPa": nil, "kPa": nil, "bar": nil, "mbar": nil, "ppm": nil, "ppb": nil,
	"g": {"gram", "grams"}, "kg": {"kilogram", "kilograms"}, "l": {"liter", "liters", "litre", "litres"}, "ml": nil,
	"deg": {"°", "degree", "degrees"}, "rad": {"radian", "radians"}, "Ohm": {"Ω", "\u2126", "ohms"},
	"bit/s": {"bps"}, "kbit/s": {"kbps"}, "Mbit/s": {"Mbps"},
}

// symbols maps every word and symbol of a unit to its key in unitWords: symbols as they are
// written, words in lower case.
var symbols = func() map[string]string {
	all := make(map[string]string)
	for unit, words := range unitWords {
		all[unit] = unit
		for _, w := range words {
			all[w] = unit
			if len(w) > 2 {
				all[strings.ToLower(w)] = unit
			}
		}
	}
	return all
}()

// canonical returns the unit that a word or symbol stands for, or "" if it is unknown.
func canonical(s string) string {
	if u, ok := symbols[s]; ok || len(s) <= 2 {
		return u
	}
	return symbols[strings.ToLower(s)]
}

// isUnit reports whether s is the unit of a range of a resource with the given unit, which may be
// empty.
func isUnit(s, of string) bool {
	switch {
	case digits(s) > 0:
		return false
	case strings.EqualFold(s, of):
		return true
	}
	u := canonical(s)
	switch {
	case of != "":
		return u != "" && u == canonical(of)
	case len(s) == 1 && strings.Contains("Kdaglm", s):
		return false
	}
	return u != ""
}
