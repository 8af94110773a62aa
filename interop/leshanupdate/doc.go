// Package leshanupdate holds no code. Its test lets a management server made of Eclipse Leshan's
// own libraries (leshan-server-cf 2.0.0-M15 with Californium and Scandium 3.12.0, Java 17, through
// Maven) update the program examples/selfupdate over DTLS: by Package, block by block, and by
// Package URI. It observes the state and the result over the restarts of the device.
//
// Peer.java is that server. The test sends it commands over its standard input and reads events and
// answers from its standard output.
package leshanupdate
