package firmware

import (
	"slices"

	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// protocols are the schemes of URIs in the order of the values of Firmware Update Protocol Support
// (/5/0/8).
var protocols = []string{"coap", "coaps", "http", "https", "coap+tcp", "coaps+tcp"}

// Protocols returns the value of Firmware Update Protocol Support of a component.
func (d *Driver) Protocols(id dm.InstanceID) []int64 {
	var values []int64
	if d.cfg.Download[id] == nil {
		return nil
	}
	schemes := d.cfg.Schemes(id)
	for v, scheme := range protocols {
		if slices.Contains(schemes, scheme) {
			values = append(values, int64(v))
		}
	}
	return values
}

// DeliveryMethod returns the value of Firmware Update Delivery Method of a component.
func (d *Driver) DeliveryMethod(id dm.InstanceID) int64 {
	const pull, push, both = 0, 1, 2
	switch {
	case d.cfg.Download[id] == nil:
		return push
	case d.cfg.NoPush:
		return pull
	}
	return both
}
