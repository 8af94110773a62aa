//go:build windows || plan9 || js || wasip1

package store

// syncDir does nothing: directories cannot be synchronized here.
func syncDir(string) error { return nil }
