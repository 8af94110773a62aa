// Package content is the vocabulary of LwM2M's data formats: the Content-Formats by number, what each
// can carry, and the one interface each way between bytes and the entries of package dm.
//
// The formats are packages of their own below this one; package codec holds them all behind one
// Encoder and one Decoder. Nothing here or there builds a tree: encoders append to the caller's bytes
// as the data model is walked, decoders yield entries as they read.
package content
