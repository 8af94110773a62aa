package factoryfile_test

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/internal/factoryfile"
	"github.com/lwm2mgen/toolkit/internal/names"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// seed is a file that uses every key.
const seed = `bootstrap: {uri: "coaps://b.example.com", hold-off: 10s, psk: {identity: "${endpoint}", key: {hex: 000102}}}
servers:
  - {uri: "coap://one.example.com", short-id: 101, lifetime: 1h, server: {2: 5s}}
  - {uri: "coap+tcp://two.example.com", short-id: 102, drop-notifications: true}
access-control: [{object: Temperature, instance: 0, owner: 101, rights: {102: R, default: E}}]
objects: {Temperature: {0: {Sensor Value: 1.5, 5518: 2027-01-31T12:00:00Z}}}
`

// FuzzBuild checks that no YAML makes Build panic, and that what it accepts has no fault, is
// encoded in both formats and read back.
func FuzzBuild(f *testing.F) {
	f.Add([]byte(seed))
	f.Add([]byte("servers: [{uri: coap://a, security: {16: [1, 2]}}]"))
	f.Add([]byte("servers: &a [*a]\n---\n"))
	book, err := names.NewBook()
	if err != nil {
		f.Fatal(err)
	}
	in := factoryfile.Inputs{
		Vars:     map[string]string{"endpoint": "heater-7"},
		ReadFile: func(string) ([]byte, error) { return nil, errors.New("no file") },
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		entries, err := factoryfile.Build("factory.yaml", text, book, in)
		if err != nil {
			for line := range strings.SplitSeq(err.Error(), "\n") {
				if !strings.HasPrefix(line, "factory.yaml:") && strings.IndexByte(string(text), '\n') < 0 {
					t.Errorf("an error without its line: %q", line)
				}
			}
			return
		}
		for _, format := range []content.Format{content.SenMLCBOR, content.SenMLJSON} {
			data, err := factoryfile.Encode(format, entries)
			if err != nil {
				continue // a value that the format cannot carry
			}
			back, got, err := factoryfile.Decode(data, book)
			if err != nil || got != format {
				t.Fatalf("%v: %v, %v", format, got, err)
			}
			if again, err := factoryfile.Encode(format, back); err != nil || !bytes.Equal(again, data) {
				t.Fatalf("%v: encoded again: %v", format, err)
			}
		}
	})
}

// FuzzFile checks that no factory file makes Decode, Check or Show panic.
func FuzzFile(f *testing.F) {
	book, err := names.NewBook()
	if err != nil {
		f.Fatal(err)
	}
	entries, err := factoryfile.Build("factory.yaml", []byte(seed), book, factoryfile.Inputs{Vars: map[string]string{"endpoint": "a"}})
	if err != nil {
		f.Fatal(err)
	}
	for _, format := range []content.Format{content.SenMLCBOR, content.SenMLJSON} {
		data, err := factoryfile.Encode(format, entries)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		entries, _, err := factoryfile.Decode(data, book)
		if err != nil {
			return
		}
		_ = factoryfile.Check(entries, book)
		if err := factoryfile.Show(io.Discard, entries, book); err != nil {
			t.Fatal(err)
		}
	})
}
