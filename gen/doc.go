// Package gen turns LwM2M object definitions into Go packages: one file for each object, with a
// struct of typed cells that a program fills in.
//
// Most programs use the command lwm2mgen, which reads the XML files and writes the packages. Import
// gen for a tool of your own:
//
//	defs := []gen.Definition{{File: "3303.xml", Object: object}}
//	files, faults := gen.Generate(defs, gen.Options{})
//	for _, f := range faults {
//		log.Print(f) // a line that says where, what and what to do
//	}
//	for _, f := range files {
//		write(filepath.Join("objects", f.Path), f.Content)
//	}
//
// [Generate] is a pure function: it reads no files, no clock and no environment, and the same
// definitions give the same bytes in every run. A [Definition] is its input, a [File] its output.
// [ParseNames] reads the names that you prefer, and [IsGenerated] tells which files may be
// overwritten. The comments of a generated file say what it contains; the golden files in testdata
// are examples.
//
// # Names
//
// Go names follow the registered names, unless a names file overrides them (see ParseNames). If two
// resources of an object have the same Go name, the resource ID is appended to both
// (ObjectEnabled26). If two objects have the same package name, the package that exists keeps it
// (see Options), or else that of the lower ID, and the other one gets its object ID appended
// (location3336), as does a package with the name of one of the standard library. Generate reports
// both as warnings.
// Of several versions of one object, the highest has the plain name and the others end in their
// version (temperaturev10), so that a program can link them side by side.
package gen
