// Package codec encodes and decodes the payloads of LwM2M in every data format.
//
// A client does this itself. Import codec for a test server, a tool that talks to devices, or a
// program that shows what a payload holds.
//
// An [Encoder] appends the values to your bytes, in the format that Begin names:
//
//	var enc codec.Encoder
//	target := content.Target{Base: dm.InstancePath(3303, 0)}
//	payload, err := enc.Encode(content.SenMLCBOR, nil, target, []dm.Entry{
//		{Path: dm.ResourcePath(3303, 0, 5700), Value: dm.FloatValue(22.5)},
//	})
//
// A [Decoder] calls a function for each value, typed by the resource's definition:
//
//	var dec codec.Decoder
//	req := content.Request{Base: dm.InstancePath(3303, 0), Schema: definitions}
//	err = dec.Decode(content.SenMLCBOR, payload, req, func(e dm.Entry) error {
//		fmt.Println(e.Path, e.Value)
//		return nil
//	})
//
// [AppendPaths] and [Decoder.DecodePaths] are for payloads that name paths without values: those of
// a Read-Composite and of an Observe-Composite. [content.Check] tells which format may carry which
// operation. Lists of links (Register, Discover) are in package corelink.
package codec
