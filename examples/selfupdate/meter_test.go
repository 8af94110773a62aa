package main

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/runtime/download"
)

// The meter knows the size of an image from its header, whatever the size of the blocks.
func TestMeter(t *testing.T) {
	image := signed(t, otherKey(t), bytes.Repeat([]byte("x"), 100_000), nil)
	for _, block := range []int{16, 1024, len(image)} {
		f, err := download.OpenFile(filepath.Join(t.TempDir(), "image"))
		must(t, err)
		var out strings.Builder
		m := &meter{File: f, out: &out, shown: -1}
		for range 2 { // a second transfer begins with nothing
			must(t, m.Truncate(0))
			out.Reset()
			for rest := image; len(rest) > 0; rest = rest[min(block, len(rest)):] {
				_, err := m.Write(rest[:min(block, len(rest))])
				must(t, err)
			}
		}
		must(t, f.Close())
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if last := "device: receiving [####################] 100 % of 0.1 MB"; lines[len(lines)-1] != last || len(lines) > 11 {
			t.Errorf("with blocks of %d bytes the meter prints\n%s", block, out.String())
		}
	}
}

// Without a size in the header the meter counts megabytes.
func TestMeterWithoutSize(t *testing.T) {
	f, err := download.OpenFile(filepath.Join(t.TempDir(), "image"))
	must(t, err)
	defer f.Close()
	var out strings.Builder
	m := &meter{File: f, out: &out, shown: -1}
	for range 25 {
		_, err := m.Write(make([]byte, 100_000))
		must(t, err)
	}
	want := "device: receiving, 0.1 MB\ndevice: receiving, 1.0 MB\ndevice: receiving, 2.0 MB\n"
	if out.String() != want {
		t.Errorf("the meter prints\n%s, want\n%s", out.String(), want)
	}
}
