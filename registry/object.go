package registry

// ReservedID is the ID that no object, instance, resource or resource instance has. It is the null
// value of object links (Core 1.2.2 Appendix C) and means "none" elsewhere.
const ReservedID = 65535

// Object is the definition of one LwM2M object in one version (Core 1.2.2 Appendix D). The zero
// value means an object with ID 0 and without resources; it is not useful by itself.
type Object struct {
	// ID is the Object ID, 0..65534.
	ID uint16
	// Line is the line of the definition in its file. It is documentation; generated tables leave
	// it empty.
	Line int32
	// Version is the object's own version. The zero value means 1.0, the meaning of an absent
	// version.
	Version Version
	// LWM2MVersion is the lowest version of LwM2M that the object needs. The zero value means 1.0.
	LWM2MVersion Version
	// Name is the registered name, such as "Temperature" or "LWM2M Security".
	Name string
	// Multiple reports that the object may have several instances. A single-instance object has
	// only instance 0.
	Multiple bool
	// Mandatory reports that every device that supports the object's version of LwM2M has the
	// object.
	Mandatory bool
	// Resources lists the resources in ascending order of ID. No ID occurs twice.
	Resources []Resource

	// URN is the registered name, such as "urn:oma:lwm2m:ext:3303:1.1". It is documentation;
	// generated tables leave it empty.
	URN string
	// Description says what the object is for. It is documentation; generated tables leave it
	// empty.
	Description string
}

// Resource is the definition of one resource of an object.
type Resource struct {
	// ID is the Resource ID, 0..65534.
	ID uint16
	// Line is the line of the definition in its file. It is documentation; generated tables leave
	// it empty.
	Line int32
	// Name is the registered name, such as "Sensor Value". Two resources of one object may share
	// it.
	Name string
	// Ops is what an LwM2M server may do. The zero value means that only the bootstrap server
	// reaches the resource.
	Ops Operations
	// Type is the data type. The zero value, None, means an executable.
	Type Type
	// Multiple reports that the resource may have several resource instances.
	Multiple bool
	// Mandatory reports that every instance of the object has the resource.
	Mandatory bool
	// Secret reports that the value must not be shown in logs, dumps or error texts. It is not
	// registered with OMA; it follows from Ops and Type, or from a names file.
	Secret bool
	// Range is the set of allowed values: for numbers the value, for String the length in
	// characters and for Opaque the length in bytes. The zero value means that every value of the
	// type is allowed.
	Range Range
	// Strings is the set of allowed values of a String whose values are enumerated. The zero value
	// means that they are not.
	Strings StringSet
	// Units is the registered unit, such as "Cel" or "%". The zero value means none.
	Units string

	// RangeText is the range as registered, even if it could not be parsed into Range. It is
	// documentation; generated tables leave it empty.
	RangeText string
	// Enum names the values of an enumeration, where the definition names them: numbers in
	// ascending order, strings in the order of Strings. It is documentation; generated tables leave
	// it empty.
	Enum []EnumValue
	// Description says what the resource means. It is documentation; generated tables leave it
	// empty.
	Description string
}

// EnumValue is one named value of an enumeration.
type EnumValue struct {
	// Value is the number of an Integer or Unsigned Integer on the wire.
	Value int64
	// Text is the value of a String.
	Text string
	// Name is the value's meaning in a few words, such as "Certificate mode".
	Name string
	// Doc explains the value further. The zero value means that the name is sufficient.
	Doc string
}

// Resource returns the resource with the given ID, or nil if the object has none. The result points
// into o; do not change it.
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
