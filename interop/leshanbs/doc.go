// Package leshanbs holds no code. Its tests bootstrap devices by a server made of Eclipse Leshan's
// own libraries (leshan-server-cf 2.0.0-M15, Java 17, through Maven; the bootstrap server of later
// milestones is not in Maven Central), which also accepts their registrations: over CoAP, over DTLS
// with pre-shared keys, and over DTLS with certificates.
//
// Peer.java is that server. The test sends it commands over its standard input and reads events
// from its standard output.
package leshanbs
