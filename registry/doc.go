// Package registry describes LwM2M object definitions as plain Go values: what the Open Mobile
// Alliance registers about an object, its ID, its versions and its resources.
//
//	def := temp.Definition() // of any dm.Object
//	for _, r := range def.Resources {
//		fmt.Println(r.ID, r.Name, r.Ops, r.Type, r.Range, r.Units)
//	}
//
// The main types are:
//
//   - [Object], the definition of an object, with [Object.Resource] to find a resource and
//     [Object.Validate] to check the definition;
//   - [Resource], the definition of a resource;
//   - [Operations], [Type], [Range] and [StringSet], which say what a server may do with the
//     resource and which values it may have;
//   - [Version], the version of an object or of LwM2M;
//   - [Fault], one fault of a definition.
//
// Every generated package carries a definition as its metadata table, and package omaxml reads
// definitions from OMA's XML. A definition does not change once it is in use, so all functions here
// are safe for concurrent use.
package registry
