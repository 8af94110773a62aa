package gen

import (
	"strings"
	"testing"
)

// TestPanicIsAnError checks that a panic while one package is generated does not end the program.
func TestPanicIsAnError(t *testing.T) {
	err := protect(func() { panic("out of bounds") })
	if err == nil || !strings.Contains(err.Error(), "out of bounds") {
		t.Errorf("the panic became %v", err)
	}
	if err := protect(func() {}); err != nil {
		t.Errorf("no panic became %v", err)
	}
}
