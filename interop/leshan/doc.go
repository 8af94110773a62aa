// Package leshan holds no code: its test runs the example thermometer against a management server made
// of Eclipse Leshan's own libraries (leshan-lwm2m-server 2.0.0-M18, Java 17, through Maven).
//
// Peer.java is that server; the test talks to it over its standard input and output.
package leshan
