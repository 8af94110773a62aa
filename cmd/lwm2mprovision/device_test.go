package main

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

const factory = `bootstrap: {uri: coap://bootstrap.example.com, hold-off: 5s}
servers:
  - {uri: coap://one.example.com, short-id: 101, lifetime: 1h}
  - {uri: coap://two.example.com, short-id: 102}
access-control:
  - {object: Temperature, instance: 0, owner: 101, rights: {102: R}}
`

// TestDeviceReadsFactoryFile checks that a client has what the command has written, in both
// formats, and that nobody but the owner can read the file.
func TestDeviceReadsFactoryFile(t *testing.T) {
	for _, format := range []string{"cbor", "json"} {
		dir := t.TempDir()
		yaml, file := filepath.Join(dir, "factory.yaml"), filepath.Join(dir, "factory."+format)
		if err := os.WriteFile(yaml, []byte(factory), 0o600); err != nil {
			t.Fatal(err)
		}
		var stderr bytes.Buffer
		if code := run([]string{"-format", format, "-o", file, yaml}, strings.NewReader(""), &stderr, &stderr); code != 0 {
			t.Fatalf("exit code %d: %s", code, stderr.String())
		}
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("the file has the mode %v (%v)", info.Mode(), err)
		}
		client, err := lwm2m.New(lwm2m.Config{
			Endpoint: "heater-7", Objects: deviceObjects(t), Factory: lwm2m.FactoryFile(file),
			Logger: slog.New(slog.DiscardHandler),
		})
		if err != nil {
			t.Fatal(err)
		}
		s := client.Model().Snapshot()
		for path, want := range map[dm.Path]string{
			dm.ResourcePath(0, 0, 11):             "5",
			dm.ResourcePath(0, 2, 0):              "coap://two.example.com",
			dm.ResourcePath(1, 0, 1):              "3600",
			dm.ResourceInstancePath(2, 0, 2, 102): "1",
		} {
			if v, err := s.Value(t.Context(), dm.Application, path); err != nil || v.String() != want {
				t.Errorf("%s: %s is %v (%v), want %s", format, path, v, err, want)
			}
		}
	}
}

func deviceObjects(t *testing.T) []dm.Object {
	t.Helper()
	temp, err := temperature.New(temperature.Config{})
	if err == nil {
		err = temp.Add(0, temperature.Instance{SensorValue: dm.Float(20)})
	}
	if err != nil {
		t.Fatal(err)
	}
	dev, err := device.New(device.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return []dm.Object{temp, dev}
}
