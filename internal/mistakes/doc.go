// Package mistakes shows what a programmer reads after each of the typical mistakes of the first
// hours. Its tests make the mistakes and compare the texts with the files in testdata, so that a
// text that no longer says what to do is noticed. Update them with
//
//	go test ./internal/mistakes -update
//
// and read what has changed.
package mistakes
