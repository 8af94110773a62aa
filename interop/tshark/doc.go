// Package tshark holds no code but a test of the TLV format against a peer
// nobody here wrote: Wireshark's dissector of LwM2M TLV, as tshark runs it.
// interop/install gets it. The test is skipped, and says so, where it is absent.
package tshark
