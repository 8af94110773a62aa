// Package scandium tests the toolkit's DTLS against Scandium, the DTLS of Eclipse Californium and
// Leshan: an independent peer with Connection IDs. The tests skip themselves where Java, Maven or
// the library are not available.
package scandium
