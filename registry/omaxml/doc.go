// Package omaxml reads object definitions in OMA's XML format (LWM2M.xsd 1.0 to 1.2) and returns
// them as values of package registry:
//
//	data, err := os.ReadFile("3303.xml")
//	if err != nil {
//		return err
//	}
//	objects, faults := omaxml.ReadBytes("3303.xml", data)
//	for _, fault := range faults {
//		fmt.Println(fault) // a warning, or why an object was left out
//	}
//
// [Read] reads from an io.Reader, [ReadBytes] from memory. Files larger than [MaxSize] are refused.
//
// The files of the public registry were written by hand, by many people, over many years, and the
// package reads all of their dialects. It repairs a mistake whose meaning is clear: with a warning
// in a definition that OMA has registered, which its users cannot correct, with an error in one of
// your own. It keeps text whose meaning is not clear, such as a range in prose, as documentation,
// with a warning, and never guesses. A mistake that makes a definition unusable is an error, and
// only the object that it concerns is left out. All faults of a file are returned together, each
// with its line. [CheckIDs] says which IDs are not free to use.
//
// Files are not trusted: their size, depth and number of tags are bounded, document type
// declarations are refused, entities other than the five of XML are errors, and nothing outside of
// the given input is read. The package keeps no state; all functions are safe for concurrent use.
package omaxml
