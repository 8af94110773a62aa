package dm

// Entry is one value with its place in the data model, as payloads carry it: decoders yield
// entries, writes take them, and encoders receive them.
type Entry struct {
	// Path is a resource or a resource instance. It is an instance, with the zero Value, where the
	// payload names the instance without any resource.
	Path Path
	// Value is the value. The zero Value with the path of a multiple-instance resource means that
	// the payload names the resource without any resource instance.
	Value Value
	// Time is when the value was measured, in seconds since 1970-01-01 UTC. The zero value means
	// that the payload gives no time. An encoder of SenML takes a negative time as relative to now,
	// for a device whose clock is not set. Writes ignore it.
	Time float64
}
