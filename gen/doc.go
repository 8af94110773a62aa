// Package gen makes Go packages of LwM2M object definitions: one file per object, with a struct of
// typed cells that a program fills in.
//
// It is a pure function. It reads no file, no clock and no environment, and the same definitions
// give the same bytes in every run. What a generated file holds, and why, is told by the file itself;
// the golden files under testdata are examples.
//
// # Names
//
// Go names are made of the registered ones; a names file overrides them (see ParseNames). Where two
// resources of an object would share a name, each of them gets its ID appended (ObjectEnabled26);
// where two objects would share a package, or a package would have the name of one of the standard
// library's, the object ID is appended (location6). Both are warnings. Of several versions of one
// object, the highest has the plain name and the others end in their version (temperaturev10), so
// that a program can link them side by side.
package gen
