package registry

// Operations is the set of operations that an LwM2M server may perform on a resource. The zero
// value means the empty set: only the bootstrap server reaches the resource (Core 1.2.2 Appendix
// D.1).
type Operations uint8

// The operations, and their one common combination.
const (
	R Operations = 1 << iota // Read, Observe, Discover, Write-Attributes
	W                        // Write
	E                        // Execute

	RW = R | W
)

// Readable reports whether a server may read the resource.
func (o Operations) Readable() bool { return o&R != 0 }

// Writable reports whether a server may write the resource.
func (o Operations) Writable() bool { return o&W != 0 }

// Executable reports whether a server may execute the resource.
func (o Operations) Executable() bool { return o&E != 0 }

// BootstrapOnly reports whether an LwM2M server may perform no operation.
func (o Operations) BootstrapOnly() bool { return o == 0 }

// String returns the letters as registered: "R", "W", "RW", "E", or "" for the bootstrap server
// only.
func (o Operations) String() string {
	b := make([]byte, 0, 3)
	for i, c := range []byte("RWE") {
		if o&(1<<i) != 0 {
			b = append(b, c)
		}
	}
	return string(b)
}
