// Package serve is what the handlers of a peer's requests have in common: what happens when user
// code panics, and what an answer may say about an error.
package serve
