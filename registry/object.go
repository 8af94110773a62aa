package registry

// ReservedID is the one ID that objects, instances, resources and resource instances never have:
// it is the null value of object links (Core 1.2.2 Appendix C) and means "none" elsewhere.
const ReservedID = 65535

// Object is the definition of one LwM2M object in one version (Core 1.2.2 Appendix D).
// The zero value is an object without resources and with ID 0; it is not useful by itself.
type Object struct {
	// ID is the Object ID, 0..65534.
	ID uint16
	// Version is the object's own version. Zero means 1.0, which is what an absent version says.
	Version Version
	// LWM2MVersion is the lowest version of the enabler that the object needs. Zero means 1.0.
	LWM2MVersion Version
	// Name is the registered name, such as "Temperature" or "LWM2M Security".
	Name string
	// Multiple says that the object may have several instances. A single-instance object has
	// instance 0 only.
	Multiple bool
	// Mandatory says that every device that supports the object's enabler has it.
	Mandatory bool
	// Resources lists the resources in ascending order of ID; no ID occurs twice.
	Resources []Resource

	// URN is the registered name, such as "urn:oma:lwm2m:ext:3303:1.1". Documentation: generated
	// tables leave it empty.
	URN string
	// Description says what the object is for. Documentation: generated tables leave it empty.
	Description string
}

// Resource is the definition of one resource of an object.
type Resource struct {
	// ID is the Resource ID, 0..65534.
	ID uint16
	// Name is the registered name, such as "Sensor Value". Two resources of one object may share it.
	Name string
	// Ops is what a LwM2M server may do. None means that the bootstrap server alone reaches it.
	Ops Operations
	// Type is the data type. It is None for executables.
	Type Type
	// Multiple says that the resource may have several resource instances.
	Multiple bool
	// Mandatory says that every instance of the object has the resource.
	Mandatory bool
	// Secret says that the value must never be shown: in logs, dumps or error texts. It is not
	// registered with OMA; it follows from Ops and Type, or from a names file.
	Secret bool
	// Range is what values are allowed: for numbers the value, for String the length in characters
	// and for Opaque the length in bytes. Nil means that every value of the type is allowed.
	Range Range
	// Units is the registered unit, such as "Cel" or "%". Empty means none.
	Units string

	// RangeText is the range as registered, also where Range could not be made of it.
	// Documentation: generated tables leave it empty.
	RangeText string
	// Enum names the values of an enumeration, ascending, where the definition names them.
	// Documentation: generated tables leave it empty.
	Enum []EnumValue
	// Description says what the resource means. Documentation: generated tables leave it empty.
	Description string
}

// EnumValue is one named value of an enumerated resource.
type EnumValue struct {
	// Value is the number on the wire.
	Value int64
	// Name is the value's meaning in a few words, such as "Certificate mode".
	Name string
	// Doc explains the value further. Empty means that the name says it all.
	Doc string
}

// Resource returns the resource with the given ID, or nil when the object has none.
// The result points into o and must not be changed.
func (o *Object) Resource(id uint16) *Resource {
	i, j := 0, len(o.Resources)
	for i < j {
		m := int(uint(i+j) >> 1)
		if o.Resources[m].ID < id {
			i = m + 1
		} else {
			j = m
		}
	}
	if i < len(o.Resources) && o.Resources[i].ID == id {
		return &o.Resources[i]
	}
	return nil
}
