// Package formattest helps the tests of the data formats: definitions, the instances of the
// examples in the specification, and functions that run an encoder and a decoder.
package formattest

import (
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// The objects of the examples in the specification (Core 1.2.2 Appendix E; 65 and 66 are those of
// Appendix C), and object 33001. It has a resource of each type, whose ID is the number of the
// type, and one with resource instances, whose ID is that number plus 20.
var (
	server = registry.Object{ID: 1, Name: "LwM2M Server", Multiple: true, Resources: []registry.Resource{
		{ID: 0, Name: "Short Server ID", Ops: registry.R, Type: registry.Integer},
		{ID: 1, Name: "Lifetime", Ops: registry.RW, Type: registry.Integer},
		{ID: 2, Name: "Default Minimum Period", Ops: registry.RW, Type: registry.Integer},
		{ID: 3, Name: "Default Maximum Period", Ops: registry.RW, Type: registry.Integer},
		{ID: 4, Name: "Disable", Ops: registry.E},
		{ID: 5, Name: "Disable Timeout", Ops: registry.RW, Type: registry.Integer},
		{ID: 6, Name: "Notification Storing", Ops: registry.RW, Type: registry.Boolean},
		{ID: 7, Name: "Binding", Ops: registry.RW, Type: registry.String},
	}}
	accessControl = registry.Object{ID: 2, Name: "LwM2M Access Control", Multiple: true, Resources: []registry.Resource{
		{ID: 0, Name: "Object ID", Ops: registry.R, Type: registry.Integer},
		{ID: 1, Name: "Object Instance ID", Ops: registry.R, Type: registry.Integer},
		{ID: 2, Name: "ACL", Ops: registry.RW, Type: registry.Integer, Multiple: true},
		{ID: 3, Name: "Access Control Owner", Ops: registry.RW, Type: registry.Integer},
	}}
	device = registry.Object{ID: 3, Name: "Device", Resources: []registry.Resource{
		{ID: 0, Name: "Manufacturer", Ops: registry.R, Type: registry.String},
		{ID: 1, Name: "Model Number", Ops: registry.R, Type: registry.String},
		{ID: 2, Name: "Serial Number", Ops: registry.R, Type: registry.String},
		{ID: 3, Name: "Firmware Version", Ops: registry.R, Type: registry.String},
		{ID: 4, Name: "Reboot", Ops: registry.E},
		{ID: 5, Name: "Factory Reset", Ops: registry.E},
		{ID: 6, Name: "Available Power Sources", Ops: registry.R, Type: registry.Integer, Multiple: true},
		{ID: 7, Name: "Power Source Voltage", Ops: registry.R, Type: registry.Integer, Multiple: true},
		{ID: 8, Name: "Power Source Current", Ops: registry.R, Type: registry.Integer, Multiple: true},
		{ID: 9, Name: "Battery Level", Ops: registry.R, Type: registry.Integer},
		{ID: 10, Name: "Memory Free", Ops: registry.R, Type: registry.Integer},
		{ID: 11, Name: "Error Code", Ops: registry.R, Type: registry.Integer, Multiple: true},
		{ID: 12, Name: "Reset Error Code", Ops: registry.E},
		{ID: 13, Name: "Current Time", Ops: registry.RW, Type: registry.Time},
		{ID: 14, Name: "UTC Offset", Ops: registry.RW, Type: registry.String},
		{ID: 15, Name: "Timezone", Ops: registry.RW, Type: registry.String},
		{ID: 16, Name: "Supported Binding and Modes", Ops: registry.R, Type: registry.String},
	}}
	linked65 = registry.Object{ID: 65, Name: "Example 65", Multiple: true, Resources: []registry.Resource{
		{ID: 0, Name: "Res 0", Ops: registry.R, Type: registry.Objlnk, Multiple: true},
		{ID: 1, Name: "Res 1", Ops: registry.R, Type: registry.String},
		{ID: 2, Name: "Res 2", Ops: registry.R, Type: registry.Integer},
	}}
	linked66 = registry.Object{ID: 66, Name: "Example 66", Multiple: true, Resources: []registry.Resource{
		{ID: 0, Name: "Res 0", Ops: registry.R, Type: registry.String},
		{ID: 1, Name: "Res 1", Ops: registry.R, Type: registry.String},
		{ID: 2, Name: "Res 2", Ops: registry.R, Type: registry.Objlnk},
	}}
	temperature = registry.Object{ID: 3303, Name: "Temperature", Multiple: true, Resources: []registry.Resource{
		{ID: 5700, Name: "Sensor Value", Ops: registry.R, Type: registry.Float},
		{ID: 5701, Name: "Sensor Units", Ops: registry.R, Type: registry.String},
	}}
	every = everyType()
)

func everyType() registry.Object {
	o := registry.Object{ID: EveryID, Name: "Every Type", Multiple: true}
	for _, base := range []uint16{0, EveryMultiple} {
		for t := registry.String; t <= registry.Corelnk; t++ {
			o.Resources = append(o.Resources, registry.Resource{
				ID: base + uint16(t), Name: t.String(), Ops: registry.RW, Type: t, Multiple: base != 0,
			})
		}
	}
	return o
}

// EveryID is the object with a resource of each type. EveryMultiple is the distance from the ID of
// a resource to the ID of the one of the same type with resource instances.
const (
	EveryID       = 33001
	EveryMultiple = 20
)

// Schema returns the definitions of the examples.
func Schema(id dm.ObjectID) *registry.Object {
	switch id {
	case 1:
		return &server
	case 2:
		return &accessControl
	case 3:
		return &device
	case 65:
		return &linked65
	case 66:
		return &linked66
	case 3303:
		return &temperature
	case EveryID:
		return &every
	}
	return nil
}

// Every returns the path of the resource of a type in instance 0.
func Every(t registry.Type) dm.Path {
	return dm.ResourcePath(EveryID, 0, dm.ResourceID(t))
}
