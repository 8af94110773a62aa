// Package generated holds one package for each object in objects-xml. Its packages are written by
// lwm2mgen and never edited; it has no code of its own.
package generated

//go:generate go run ../cmd/lwm2mgen -out . -names ../objects-xml/names ../objects-xml/*.xml
