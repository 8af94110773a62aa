// Package scandium tests the toolkit's DTLS against Scandium, the DTLS of Eclipse Californium and Leshan: the independent peer that has Connection
// IDs. The tests skip themselves where Java, Maven or the library are not to be had.
package scandium
