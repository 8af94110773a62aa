// Package content names the data formats of LwM2M and says what each of them can carry.
//
// A [Format] is a CoAP Content-Format, such as [TLV] or [SenMLCBOR]; an [Operation] is what a
// payload is for. [Check] reports whether they fit together:
//
//	err := content.Check(content.Text, content.Read, dm.InstancePath(3303, 0))
//	// /3303/0: plain text cannot carry a Read of this node
//
// A program needs this package to choose the format of a Send or of a server's request. Package
// codec encodes and decodes the payloads: [Target] and [Request] say what a payload is about.
// Package corelink does the same for lists of links.
package content
