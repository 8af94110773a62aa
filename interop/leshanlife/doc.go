// Package leshanlife holds no code. Its tests show how devices come back at a management server
// made of Eclipse Leshan's own libraries (leshan-server-cf 2.0.0-M15 with Californium and Scandium
// 3.12.0, Java 17, through Maven), without security and over DTLS with Connection IDs: after a
// move, a restart of the device, a restart of the server, and sleep in queue mode.
//
// Peer.java is that server. The test sends it commands over its standard input and reads events and
// answers from its standard output.
package leshanlife
