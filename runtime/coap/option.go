package coap

import "strconv"

// An OptionID is an option number. Its lowest bits say what a peer that does not know the option
// must do (RFC 7252 §5.4.6).
type OptionID uint16

// Option numbers (RFC 7252 §5.10, RFC 7641 §2, RFC 7959 §2.1 and §4,
// RFC 7967 §2, RFC 8613 §2, RFC 8768 §3, RFC 9175 §2.2 and §3.2, RFC 9177 §4.1).
const (
	OptionIfMatch       OptionID = 1
	OptionURIHost       OptionID = 3
	OptionETag          OptionID = 4
	OptionIfNoneMatch   OptionID = 5
	OptionObserve       OptionID = 6
	OptionURIPort       OptionID = 7
	OptionLocationPath  OptionID = 8
	OptionOSCORE        OptionID = 9
	OptionURIPath       OptionID = 11
	OptionContentFormat OptionID = 12
	OptionMaxAge        OptionID = 14
	OptionURIQuery      OptionID = 15
	OptionHopLimit      OptionID = 16
	OptionAccept        OptionID = 17
	OptionQBlock1       OptionID = 19
	OptionLocationQuery OptionID = 20
	OptionBlock2        OptionID = 23
	OptionBlock1        OptionID = 27
	OptionSize2         OptionID = 28
	OptionQBlock2       OptionID = 31
	OptionProxyURI      OptionID = 35
	OptionProxyScheme   OptionID = 39
	OptionSize1         OptionID = 60
	OptionEcho          OptionID = 252
	OptionNoResponse    OptionID = 258
	OptionRequestTag    OptionID = 292
)

// Critical reports whether a peer that does not know the option must refuse the message. Otherwise
// the option is elective, and such a peer ignores it.
func (id OptionID) Critical() bool { return id&1 != 0 }

// noCacheKey reports whether the option is not part of a request's cache key.
func (id OptionID) noCacheKey() bool { return id&0x1e == 0x1c }

// String is the option's name in the registry, or its number.
func (id OptionID) String() string {
	if name := optionNames(id); name != "" {
		return name
	}
	return "option " + strconv.Itoa(int(id))
}

func optionNames(id OptionID) string {
	switch id {
	case OptionIfMatch:
		return "If-Match"
	case OptionURIHost:
		return "Uri-Host"
	case OptionETag:
		return "ETag"
	case OptionIfNoneMatch:
		return "If-None-Match"
	case OptionObserve:
		return "Observe"
	case OptionURIPort:
		return "Uri-Port"
	case OptionLocationPath:
		return "Location-Path"
	case OptionOSCORE:
		return "OSCORE"
	case OptionURIPath:
		return "Uri-Path"
	case OptionContentFormat:
		return "Content-Format"
	case OptionMaxAge:
		return "Max-Age"
	case OptionURIQuery:
		return "Uri-Query"
	case OptionHopLimit:
		return "Hop-Limit"
	case OptionAccept:
		return "Accept"
	case OptionQBlock1:
		return "Q-Block1"
	case OptionLocationQuery:
		return "Location-Query"
	case OptionBlock2:
		return "Block2"
	case OptionBlock1:
		return "Block1"
	case OptionSize2:
		return "Size2"
	case OptionQBlock2:
		return "Q-Block2"
	case OptionProxyURI:
		return "Proxy-Uri"
	case OptionProxyScheme:
		return "Proxy-Scheme"
	case OptionSize1:
		return "Size1"
	case OptionEcho:
		return "Echo"
	case OptionNoResponse:
		return "No-Response"
	case OptionRequestTag:
		return "Request-Tag"
	}
	return ""
}

// An optionForm is the format of an option in its definition.
type optionForm struct {
	min, max           uint16 // length of the value, bytes
	repeat             bool
	request, responses bool // where the option has a meaning
}

// form is the format of an option that this package understands. All others, including OSCORE and
// Q-Block, are unknown.
func (id OptionID) form() (f optionForm, known bool) {
	switch id {
	case OptionIfMatch:
		return optionForm{0, 8, true, true, false}, true
	case OptionURIHost:
		return optionForm{1, 255, false, true, false}, true
	case OptionETag:
		return optionForm{1, 8, true, true, true}, true
	case OptionIfNoneMatch:
		return optionForm{0, 0, false, true, false}, true
	case OptionURIPort:
		return optionForm{0, 2, false, true, false}, true
	case OptionLocationPath, OptionLocationQuery:
		return optionForm{0, 255, true, false, true}, true
	case OptionURIPath, OptionURIQuery:
		return optionForm{0, 255, true, true, false}, true
	case OptionContentFormat:
		return optionForm{0, 2, false, true, true}, true
	case OptionMaxAge:
		return optionForm{0, 4, false, false, true}, true
	case OptionHopLimit:
		return optionForm{1, 1, false, true, true}, true
	case OptionAccept:
		return optionForm{0, 2, false, true, false}, true
	case OptionObserve, OptionBlock1, OptionBlock2:
		return optionForm{0, 3, false, true, true}, true
	case OptionSize1, OptionSize2:
		return optionForm{0, 4, false, true, true}, true
	case OptionProxyURI:
		return optionForm{1, 1034, false, true, false}, true
	case OptionProxyScheme:
		return optionForm{1, 255, false, true, false}, true
	case OptionEcho:
		return optionForm{1, 40, false, true, true}, true
	case OptionNoResponse:
		return optionForm{0, 1, false, true, false}, true
	case OptionRequestTag:
		return optionForm{0, 8, true, true, false}, true
	}
	return optionForm{}, false
}
