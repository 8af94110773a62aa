package dm

// Entry is one value with its place in the data model, as payloads carry it: what decoders yield,
// writes take and encoders are given.
type Entry struct {
	// Path is a resource or a resource instance; or an instance, with the zero Value, when the
	// payload names it without anything in it.
	Path Path
	// Value is the value. The zero Value at the path of a resource with resource instances says that
	// the payload names the resource without any instance.
	Value Value
	// Time is when the value was measured, in seconds since 1970-01-01 UTC. Zero means that it is
	// not said. Writes ignore it.
	Time float64
}
