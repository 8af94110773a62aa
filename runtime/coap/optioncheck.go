package coap

import "slices"

// The critical options that this package understands, a bit for each number. They say the same as
// [OptionID.form], which a test compares, in the time that a check of every message may take.
const (
	criticalInRequests uint64 = 1<<OptionIfMatch | 1<<OptionURIHost | 1<<OptionIfNoneMatch | 1<<OptionURIPort |
		1<<OptionURIPath | 1<<OptionURIQuery | 1<<OptionAccept | 1<<OptionBlock2 | 1<<OptionBlock1 |
		1<<OptionProxyURI | 1<<OptionProxyScheme
	criticalInResponses uint64 = 1<<OptionBlock2 | 1<<OptionBlock1
	criticalRepeatable  uint64 = 1<<OptionIfMatch | 1<<OptionURIPath | 1<<OptionURIQuery
	// Most requests have no other critical options than these, whose values have 0 to 255 bytes.
	criticalStrings uint64 = 1<<OptionURIPath | 1<<OptionURIQuery
	criticalAll     uint64 = 0xaaaaaaaaaaaaaaaa
)

// Unrecognized is the first critical option for which a message with this code must be refused
// (RFC 7252 §5.4.1): an unknown one; one without a meaning in a request or a response; one whose
// value has a length that its definition does not allow (§5.4.3); a repeated one that must not be
// repeated (§5.4.5). Elective options never count: they are ignored. The numbers in also count as
// known, repeatable and of any length.
func (o *Options) Unrecognized(code Code, also []OptionID) (id OptionID, found bool) {
	known, unchecked := criticalInRequests, criticalStrings
	if code.IsResponse() {
		known, unchecked = criticalInResponses, 0
	}
	if o.last < 64 && len(o.raw) <= 255 && o.maybe&criticalAll&^unchecked == 0 {
		return 0, false
	}
	previous := OptionID(0) // even, so not a critical one
	for it := o.Iter(); it.Next(); {
		id := it.id
		if !id.Critical() {
			continue
		}
		repeated := id == previous
		previous = id
		good := id < 64 && known>>id&1 != 0 && (!repeated || criticalRepeatable>>id&1 != 0)
		if good {
			f, _ := id.form()
			good = len(it.value) >= int(f.min) && len(it.value) <= int(f.max)
		}
		if !good && !slices.Contains(also, id) {
			return id, true
		}
	}
	return 0, false
}
