package registry

// Type is the data type of a resource (Core 1.2.2 Appendix C). The zero value, None, means an
// executable.
type Type uint8

// The data types, with the Go type of each.
const (
	None            Type = iota // no value: an executable
	String                      // string, valid UTF-8
	Integer                     // int64
	UnsignedInteger             // uint64
	Float                       // float64
	Boolean                     // bool
	Opaque                      // []byte
	Time                        // time.Time, in seconds
	Objlnk                      // dm.ObjectLink
	Corelnk                     // dm.CoreLink
)

var typeNames = [...]string{"", "String", "Integer", "Unsigned Integer", "Float", "Boolean", "Opaque", "Time",
	"Objlnk", "Corelnk"}

// String returns the type's registered name, or "" for None.
func (t Type) String() string {
	if int(t) < len(typeNames) {
		return typeNames[t]
	}
	return "Type(invalid)"
}

// Numeric reports whether a range of the type bounds values instead of lengths.
func (t Type) Numeric() bool {
	return t == Integer || t == UnsignedInteger || t == Float || t == Time
}

// Measured reports whether a range of the type bounds lengths: characters of a String or Corelnk,
// bytes of an Opaque.
func (t Type) Measured() bool {
	return t == String || t == Opaque || t == Corelnk
}
