// Package transport tells which transport a server URI stands for, for all packages that look at
// several Security instances of one server.
package transport

import "strings"

// Of returns the letter of the transport of a server URI (Core 1.2.2 Appendix E.2): U for UDP, T
// for TCP, S for SMS. A scheme without a letter is its own transport. The security of a scheme does
// not count: "coap" and "coaps" are both U.
func Of(uri string) string {
	scheme, _, _ := strings.Cut(uri, ":")
	switch scheme = strings.ToLower(scheme); scheme {
	case "coap", "coaps":
		return "U"
	case "coap+tcp", "coaps+tcp":
		return "T"
	case "tel":
		return "S"
	}
	return scheme
}
