// Package tshark tests the TLV format against an independent peer: Wireshark's dissector of LwM2M
// TLV, which tshark runs. interop/install installs tshark. Without it the test is skipped.
package tshark
