package coap

import "strings"

// AddPath adds one Uri-Path option for each segment of path, which may begin with a slash:
// "/3303/0/5700". The empty path and "/" add nothing. Segments are not unescaped.
func (o *Options) AddPath(path string) { o.addSegments(OptionURIPath, path) }

// AddLocationPath adds one Location-Path option for each segment of path.
func (o *Options) AddLocationPath(path string) { o.addSegments(OptionLocationPath, path) }

func (o *Options) addSegments(id OptionID, path string) {
	path = strings.TrimPrefix(path, "/")
	for path != "" {
		segment, rest, more := strings.Cut(path, "/")
		o.AddString(id, segment)
		if path = rest; more && rest == "" {
			o.AddString(id, "") // a trailing slash adds an empty segment
		}
	}
}

// AppendPath appends the Uri-Path options as "/3303/0/5700", or "/" if there are none.
func (o *Options) AppendPath(dst []byte) []byte { return o.appendSegments(dst, OptionURIPath) }

// AppendLocationPath is [Options.AppendPath] for the Location-Path options.
func (o *Options) AppendLocationPath(dst []byte) []byte {
	return o.appendSegments(dst, OptionLocationPath)
}

func (o *Options) appendSegments(dst []byte, id OptionID) []byte {
	n := len(dst)
	for it := o.Iter(); it.Next() && it.id <= id; {
		if it.id == id {
			dst = append(dst, '/')
			dst = append(dst, it.value...)
		}
	}
	if len(dst) == n {
		dst = append(dst, '/')
	}
	return dst
}

// AddQuery adds one Uri-Query option, for instance "lt=300".
func (o *Options) AddQuery(query string) { o.AddString(OptionURIQuery, query) }

// ContentFormat is the Content-Format option.
func (o *Options) ContentFormat() (format uint16, ok bool) {
	v, ok := o.Uint(OptionContentFormat)
	return uint16(v), ok
}

// SetContentFormat sets the Content-Format option.
func (o *Options) SetContentFormat(format uint16) { o.SetUint(OptionContentFormat, uint32(format)) }

// Accept is the Accept option.
func (o *Options) Accept() (format uint16, ok bool) {
	v, ok := o.Uint(OptionAccept)
	return uint16(v), ok
}

// SetAccept sets the Accept option.
func (o *Options) SetAccept(format uint16) { o.SetUint(OptionAccept, uint32(format)) }

// Values of the Observe option in requests (RFC 7641 §2).
const (
	ObserveRegister   = 0
	ObserveDeregister = 1
)

// Observe is the Observe option: [ObserveRegister] or [ObserveDeregister] in a request, a sequence
// number of 24 bits in a notification.
func (o *Options) Observe() (value uint32, ok bool) { return o.Uint(OptionObserve) }

// MaxAge is the Max-Age option in seconds; 60 if it is absent (RFC 7252 §5.10.5).
func (o *Options) MaxAge() uint32 {
	if v, ok := o.Uint(OptionMaxAge); ok {
		return v
	}
	return 60
}

// ETag is the first ETag option. It aliases o. ok is false when the option is absent or its length
// is not 1 to 8 bytes.
func (o *Options) ETag() (tag []byte, ok bool) {
	tag, ok = o.Get(OptionETag)
	if len(tag) < 1 || len(tag) > 8 {
		return nil, false
	}
	return tag, ok
}

// Echo is the Echo option (RFC 9175 §2.2.1). It aliases o. ok is false when the option is absent or
// its length is not 1 to 40 bytes.
func (o *Options) Echo() (value []byte, ok bool) {
	value, ok = o.Get(OptionEcho)
	if len(value) < 1 || len(value) > 40 {
		return nil, false
	}
	return value, ok
}

// suppresses reports whether a request with these options asks not to be answered with the code c
// (RFC 7967 §2.1).
func (o *Options) suppresses(c Code) bool {
	v, ok := o.Uint(OptionNoResponse)
	if !ok || c.Class() == 0 {
		return false
	}
	return v&(1<<(c.Class()-1)) != 0
}
