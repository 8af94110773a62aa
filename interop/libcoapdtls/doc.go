// Package libcoapdtls tests the toolkit's DTLS against libcoap's programs, built with OpenSSL and
// with GnuTLS. The tests skip themselves where Debian's package libcoap3-bin is not installed.
package libcoapdtls
