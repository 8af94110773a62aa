package manage

import (
	"slices"
	"strconv"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// Operation is an operation of the device management and information reporting interfaces, as
// access control tells them apart.
type Operation uint8

// The operations. Composite operations ask for each of their paths.
const (
	Read            Operation = iota // Read, Read-Composite
	Observe                          // Observe
	Discover                         // Discover
	Write                            // Write, Write-Composite
	WriteAttributes                  // Write-Attributes
	Execute                          // Execute
	Create                           // Create
	Delete                           // Delete
)

// String returns the operation's name as LwM2M spells it.
func (o Operation) String() string {
	switch o {
	case Read:
		return "Read"
	case Observe:
		return "Observe"
	case Discover:
		return "Discover"
	case Write:
		return "Write"
	case WriteAttributes:
		return "Write-Attributes"
	case Execute:
		return "Execute"
	case Create:
		return "Create"
	case Delete:
		return "Delete"
	}
	return "Operation(" + strconv.Itoa(int(o)) + ")"
}

// access decides what one server may do with one device: some objects are hidden from every server,
// and PeerConfig.Authorize decides about the rest (Core 1.2.2 §8.2).
type access struct {
	hidden []dm.ObjectID
	prefix string
	ask    func(op Operation, prefix string, p dm.Path) error // nil: everything is allowed
}

func newAccess(p *PeerConfig, d *DeviceConfig) access {
	return access{hidden: d.Hidden, prefix: d.Prefix, ask: p.Authorize}
}

// hides reports whether an object does not exist for management servers.
func (a *access) hides(id dm.ObjectID) bool { return slices.Contains(a.hidden, id) }

// authorize asks for access to a node.
func (a *access) authorize(op Operation, p dm.Path) error {
	if a.ask == nil {
		return nil
	}
	return a.ask(op, a.prefix, p)
}

// instanceAccess asks for access to the instances that a walk meets, once for each.
type instanceAccess struct {
	access   *access
	op       Operation
	instance dm.Path // that was asked for last
	allowed  bool
	denied   error // the last denial
}

// check asks for access to the instance that a node belongs to.
func (a *instanceAccess) check(p dm.Path) error {
	if a.access.ask == nil {
		return nil
	}
	if i := p.Up(dm.InstanceLevel); a.instance != i {
		a.instance = i
		err := a.access.authorize(a.op, i)
		a.allowed = err == nil
		if err != nil {
			a.denied = err
		}
	}
	if a.allowed {
		return nil
	}
	return a.denied
}
