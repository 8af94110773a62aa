package lwm2mjson

// member is a member of an object in the payload. A set of members has one bit for each.
type member uint16

const (
	baseName member = 1 << iota
	baseTime
	valueList
	name
	time
	number
	text
	boolean
	link

	anyValue = number | text | boolean | link
)

// outer returns the member of the payload with a name. It returns 0 for a member to skip.
func outer(key []byte) member {
	switch string(key) {
	case "bn":
		return baseName
	case "bt":
		return baseTime
	case "e":
		return valueList
	}
	return 0
}

// inner returns the member of a value with a name. It returns 0 for a member to skip.
func inner(key []byte) member {
	switch string(key) {
	case "n":
		return name
	case "t":
		return time
	case "v":
		return number
	case "sv":
		return text
	case "bv":
		return boolean
	case "ov":
		return link
	}
	return 0
}
