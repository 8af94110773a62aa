package dm

import (
	"strconv"
)

// ShortServerID identifies one LwM2M server among those of a device (Core 1.2.2 §6.2.1), 1..65534.
// The zero value means no server.
type ShortServerID uint16

// Origin says who performs an operation: the application, a server or the bootstrap server. Origins
// are compared with ==. The zero value means [Application].
type Origin uint32

// The origins other than LwM2M servers; [Server] returns the origin of a server.
const (
	// Application is the device's own program. It may read and write every resource.
	Application Origin = 0
	// Bootstrap is the bootstrap server. It may write every resource (Core 1.2.2 §6.1.7).
	Bootstrap Origin = 1 << 16
)

// byServer marks the origins of LwM2M servers; the low 16 bits hold the Short Server ID. No Short
// Server ID, not even an invalid one, therefore has the rights of the application.
const byServer Origin = 2 << 16

// Server returns the origin of the LwM2M server with the given Short Server ID.
func Server(id ShortServerID) Origin { return byServer | Origin(id) }

// ShortServerID returns the Short Server ID of an LwM2M server. It returns false for any other
// origin.
func (o Origin) ShortServerID() (ShortServerID, bool) {
	if o&^0xffff != byServer {
		return 0, false
	}
	return ShortServerID(o), true
}

// String returns "application", "bootstrap server" or "server 101".
func (o Origin) String() string {
	if id, ok := o.ShortServerID(); ok {
		return "server " + strconv.Itoa(int(id))
	}
	if o == Bootstrap {
		return "bootstrap server"
	}
	return "application"
}
