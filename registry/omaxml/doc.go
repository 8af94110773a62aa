// Package omaxml reads object definitions in OMA's XML format (LWM2M.xsd 1.0 to 1.2) into the
// vocabulary of package registry.
//
// The files are written by hand, by many people, over many years; all dialects of the public
// registry are read. What is wrong but clear is repaired with a warning; what is not clear, such as
// a range in prose, is kept as documentation with a warning and never guessed; what leaves a
// definition unusable is an error, and only the object that it concerns is left out. All faults of a
// file are returned together.
//
// Files are not trusted: their size, depth and number of tags are bounded, document type
// declarations are refused, entities beyond XML's own five are errors, and nothing outside the given
// input is ever read. The package keeps no state; all functions are safe for concurrent use.
package omaxml
