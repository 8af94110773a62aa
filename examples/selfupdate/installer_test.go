package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"io"
	"strings"
	"testing"

	"aead.dev/minisign"

	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

// An older version is refused unless it is allowed. The program that runs already is refused in any
// case: its roll-back could not be told from its success.
func TestDowngrade(t *testing.T) {
	defer func(before string) { version = before }(version)
	version = "1.2.0"
	public, key, err := minisign.GenerateKey(nil)
	must(t, err)
	running := sha256.Sum256([]byte(oldProgram))
	for _, c := range []struct {
		version, program string
		allow            bool
		refused          string // what the error says, empty for none
	}{
		{"1.10.0", newProgram, false, ""},
		{"1.2.0", newProgram, false, ""},
		{"1.1.9", newProgram, false, "older than 1.2.0"},
		{"1.1.9", newProgram, true, ""},
		{"1.3.0", oldProgram, false, "runs already"},
		{"1.1.9", oldProgram, true, "runs already"},
	} {
		b := signed(t, key, []byte(c.program), func(h *header) { h.version = c.version })
		image := &firmwareupdate.Image{SectionReader: io.NewSectionReader(bytes.NewReader(b), 0, int64(len(b)))}
		i := &installer{key: public, allowDowngrade: c.allow, running: running[:]}
		err := i.Verify(context.Background(), image)
		if (err != nil) != (c.refused != "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("version %s, %q, downgrade allowed %v: %v, want %q", c.version, c.program, c.allow, err, c.refused)
		}
		if image.Version != c.version {
			t.Errorf("servers read version %q, want %q", image.Version, c.version)
		}
	}
}
