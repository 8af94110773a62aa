package main

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
)

// heaterFirmware installs every image that does not begin with "broken".
type heaterFirmware struct{}

func (heaterFirmware) Verify(_ context.Context, image *firmwareupdate.Image) error {
	b, err := io.ReadAll(image)
	if strings.HasPrefix(string(b), "broken") {
		err = errors.New("the image is broken")
	}
	return err
}

func (heaterFirmware) Install(context.Context, *firmwareupdate.Image) (firmwareupdate.Outcome, error) {
	return firmwareupdate.Done, nil
}

// startUpdating runs heater-1 with a Firmware Update object until the test ends.
func startUpdating(t *testing.T, uri string) {
	t.Helper()
	quiet := slog.New(slog.DiscardHandler)
	file, err := download.OpenFile(filepath.Join(t.TempDir(), "image"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	client, err := download.New(download.Config{Dialers: []socket.Dialer{udp.Dialer{}, tcp.Dialer{}}, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Close() })
	update, err := firmwareupdate.New(firmwareupdate.Config{
		Installer: heaterFirmware{}, Storage: file, Downloader: pull.New(client, download.Records{}), Logger: quiet,
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = update.Close() })
	newDeviceWith(t, lwm2m.Config{Servers: []lwm2m.Server{{URI: uri}}, Objects: []dm.Object{update}}).start(t)
}

// rates are the rate and the time left of a transfer on a machine that is busy.
var rates = regexp.MustCompile(`, [0-9.]+ k?B/s(, .* left)?`)

// updatingState is the report of an installation, which may be over before it is noticed.
var updatingState = regexp.MustCompile(`(?m)^.*State 3: Updating.*\n`)

// TestUpdateSession runs the commands of testdata/update/*.session on a device with firmware.
func TestUpdateSession(t *testing.T) {
	files, err := filepath.Glob("testdata/update/*.session")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %v", files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			p := newProgram(t, options{json: strings.Contains(file, "json")}, "coap://127.0.0.1:0")
			startUpdating(t, p.server.URI())
			got := rates.ReplaceAllString(hidePorts(p, playSession(t, p, nil, string(want))), "")
			got = updatingState.ReplaceAllString(got, "")
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
					t.Fatal(err)
				}
			} else if got != string(want) {
				t.Errorf("%s differs; with -update it becomes:\n%s", file, got)
			}
		})
	}
}

// A server at all addresses of its machine needs the URI that the device uses.
func TestPullFromEveryAddress(t *testing.T) {
	p := newProgram(t, options{}, "coap://0.0.0.0:0")
	_, port, _ := strings.Cut(p.server.Addr().String(), ":")
	startUpdating(t, "coap://127.0.0.1:"+port)
	var out, errs strings.Builder
	s := p.newSession(&out, nil)
	defer s.Close()
	const pull = "wait heater-1; pull heater-1 testdata/update/heater-2.0.bin"
	want := "lwm2mserver: no device can connect to coap://0.0.0.0:" + port + ": add -uri coap://ADDRESS:" + port +
		" with an address of this machine\n"
	if status := p.runLine(t.Context(), s, pull, &out, &errs); status != exitUsage || errs.String() != want {
		t.Errorf("status %d, %q, want %q", status, errs.String(), want)
	}
	if status := p.runLine(t.Context(), s, pull+" -uri coap://127.0.0.1:"+port, &out, &errs); status != goOn {
		t.Errorf("status %d:\n%s%s", status, &out, &errs)
	}
}
