package coap

import "slices"

// Unrecognized is the first critical option that a message with this code must
// be refused for (RFC 7252 §5.4.1): an unknown one; one that has no meaning in
// a request or a response; one whose value has a length that its definition
// does not allow (§5.4.3); a repeated one that must not be repeated (§5.4.5).
// Elective options never count: they are ignored. The numbers in also are taken
// to be known, repeatable and of any length.
func (o *Options) Unrecognized(code Code, also []OptionID) (id OptionID, found bool) {
	previous, first := OptionID(0), true
	var f optionForm // of the option before, so that a path asks once
	known := false
	for it := o.Iter(); it.Next(); {
		repeated := it.id == previous && !first
		previous, first = it.id, false
		if !it.id.Critical() || slices.Contains(also, it.id) {
			continue
		}
		if !repeated {
			f, known = it.id.form()
		}
		switch {
		case !known,
			repeated && !f.repeat,
			code.IsRequest() && !f.request,
			code.IsResponse() && !f.responses,
			len(it.value) < int(f.min), len(it.value) > int(f.max):
			return it.id, true
		}
	}
	return 0, false
}
