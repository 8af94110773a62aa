package goname

import "strings"

// fold returns s in ASCII: Latin letters without their accents and a few symbols as letters. Any
// other character becomes a blank, which separates words. Names are limited to ASCII for the sake
// of file systems and import paths.
func fold(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch plain, known := latin[r]; {
		case r == '\'' || r == '’': // as in "user's"
		case r < 0x80:
			b.WriteRune(r)
		case known:
			b.WriteString(plain)
		case r >= 0x300 && r <= 0x36f: // an accent on the letter before it
		default:
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// latin maps the letters of the Latin languages, superscript and subscript digits, and the Greek
// letters of units to ASCII.
var latin = letters(map[string]string{
	"A": "ÀÁÂÃÅĀĂĄ", "a": "àáâãåāăąª", "AE": "ÄÆ", "ae": "äæ",
	"C": "ÇĆĈĊČ", "c": "çćĉċč", "D": "ĎĐÐ", "d": "ďđð",
	"E": "ÈÉÊËĒĔĖĘĚ", "e": "èéêëēĕėęě", "G": "ĜĞĠĢ", "g": "ĝğġģ",
	"H": "ĤĦ", "h": "ĥħ", "I": "ÌÍÎÏĨĪĬĮİ", "i": "ìíîïĩīĭįı",
	"J": "Ĵ", "j": "ĵ", "K": "Ķ", "k": "ķ", "L": "ĹĻĽĿŁ", "l": "ĺļľŀł",
	"N": "ÑŃŅŇ", "n": "ñńņň", "O": "ÒÓÔÕŌŎŐ", "o": "òóôõōŏőº",
	"OE": "ÖØŒ", "oe": "öøœ", "R": "ŔŖŘ", "r": "ŕŗř", "S": "ŚŜŞŠȘ", "s": "śŝşšș",
	"ss": "ß", "T": "ŢŤŦȚ", "t": "ţťŧț", "TH": "Þ", "th": "þ",
	"U": "ÙÚÛŨŪŬŮŰŲ", "u": "ùúûũūŭůűųµμ", "UE": "Ü", "ue": "ü",
	"W": "Ŵ", "w": "ŵ", "Y": "ÝŶŸ", "y": "ýŷÿ", "Z": "ŹŻŽ", "z": "źżž",
	"0": "⁰₀", "1": "¹₁", "2": "²₂", "3": "³₃", "4": "⁴₄",
	"5": "⁵₅", "6": "⁶₆", "7": "⁷₇", "8": "⁸₈", "9": "⁹₉",
	"Ohm": "Ω\u2126", " phi ": "φϕ", " theta ": "θ", " delta ": "δ", " Delta ": "Δ\u2206",
	" alpha ": "α", " beta ": "β", " lambda ": "λ", " rho ": "ρ", " sigma ": "σ", " degrees ": "°",
})

func letters(byASCII map[string]string) map[rune]string {
	m := make(map[rune]string)
	for ascii, letters := range byASCII {
		for _, r := range letters {
			m[r] = ascii
		}
	}
	return m
}
