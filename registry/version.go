package registry

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Version is the version of an object or of LwM2M, such as 1.1. Compare versions with Compare, not
// as text. The zero value means that no version is given, which is equal to 1.0 (Core 1.2.2
// §7.2.2).
type Version struct {
	Major, Minor uint8
}

// V returns the version major.minor.
func V(major, minor uint8) Version { return Version{major, minor} }

// IsZero reports whether no version is given.
func (v Version) IsZero() bool { return v == Version{} }

// OrDefault returns v, or 1.0 if no version is given.
func (v Version) OrDefault() Version {
	if v.IsZero() {
		return V(1, 0)
	}
	return v
}

// Compare returns -1, 0 or 1 if v is lower than, equal to or higher than w. A version that is not
// given equals 1.0.
func (v Version) Compare(w Version) int {
	v, w = v.OrDefault(), w.OrDefault()
	return cmp.Or(cmp.Compare(v.Major, w.Major), cmp.Compare(v.Minor, w.Minor))
}

// String returns the version in text form, such as "1.1". A version that is not given is "1.0".
func (v Version) String() string {
	v = v.OrDefault()
	return strconv.Itoa(int(v.Major)) + "." + strconv.Itoa(int(v.Minor))
}

// ParseVersion parses a version such as "1.1": two decimal numbers from 0 to 255, without signs,
// blanks or leading zeros. Makers use versions such as 0.2 before the first release. 0.0 is none,
// because it is the zero value.
func ParseVersion(s string) (Version, error) {
	major, minor, _ := strings.Cut(s, ".")
	hi, ok1 := parseByte(major)
	lo, ok2 := parseByte(minor)
	v := V(hi, lo)
	if !ok1 || !ok2 || v.IsZero() {
		return Version{}, fmt.Errorf("version %.20q: write it as major.minor, such as 1.0, with numbers up to 255", s)
	}
	return v, nil
}

func parseByte(s string) (uint8, bool) {
	n, err := strconv.ParseUint(s, 10, 8)
	return uint8(n), err == nil && (len(s) == 1 || s[0] != '0')
}
