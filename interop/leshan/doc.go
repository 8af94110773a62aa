// Package leshan holds no code. Its tests run the example thermometer, and devices with LwM2M 1.0,
// with an alternate path and with a server that restarts, against a management server made of
// Eclipse Leshan's own libraries (leshan-lwm2m-server 2.0.0-M18, Java 17, through Maven).
//
// Peer.java is that server. The test sends it commands over its standard input and reads events and
// answers from its standard output.
package leshan
