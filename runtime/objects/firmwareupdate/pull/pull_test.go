package pull_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// web answers requests of HTTP without a network.
type web map[string]string

func (w web) RoundTrip(r *http.Request) (*http.Response, error) {
	text, ok := w[r.URL.Path]
	resp := &http.Response{StatusCode: http.StatusOK, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Request: r,
		Header: http.Header{"Etag": {`"1"`}}, ContentLength: int64(len(text)), Body: io.NopCloser(bytes.NewBufferString(text))}
	if !ok {
		resp.StatusCode = http.StatusNotFound
	}
	return resp, nil
}

type installer struct{ installed chan string }

func (i installer) Verify(context.Context, *firmwareupdate.Image) error { return nil }

func (i installer) Install(_ context.Context, image *firmwareupdate.Image) (firmwareupdate.Outcome, error) {
	b, err := io.ReadAll(image)
	i.installed <- string(b)
	return firmwareupdate.Done, err
}

func TestPull(t *testing.T) {
	dir := t.TempDir()
	s, err := store.OpenDir(filepath.Join(dir, "state"), store.Config{Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	defer s.Close()
	file, err := download.OpenFile(filepath.Join(dir, "image"))
	must(t, err)
	defer file.Close()
	client, err := download.New(download.Config{
		Dialers: []socket.Dialer{udp.Dialer{}}, Logger: slog.New(slog.DiscardHandler),
		HTTP: &http.Client{Transport: web{"/2.bin": "firmware 2.0"}},
	})
	must(t, err)
	defer client.Close()
	changes := make(chan firmwareupdate.Status, 100)
	i := installer{make(chan string, 1)}
	update, err := firmwareupdate.New(firmwareupdate.Config{
		Installer: i, Storage: file, Store: s, Logger: slog.New(slog.DiscardHandler),
		Downloader: pull.New(client, download.Records{Store: s, Name: "download"}),
		Changed:    func(s firmwareupdate.Status) { changes <- s },
	})
	must(t, err)
	defer update.Close()
	d := objecttest.New(t, update)
	wait := func(state, result int64) {
		t.Helper()
		for s := range changes {
			if s.State == state && (state != 0 || s.Result != 0) {
				if s.Result != result {
					t.Errorf("state and result %v, want {%d %d}", s, state, result)
				}
				return
			}
		}
	}
	for range 2 { // the second time the same URI is downloaded again
		must(t, d.Write("/5/0/1", dm.StringValue("http://files.example/2.bin")))
		wait(2, 0)
		must(t, d.Execute("/5/0/2", ""))
		wait(0, 1)
		if got := <-i.installed; got != "firmware 2.0" {
			t.Errorf("installed %q", got)
		}
	}
	// A damaged record costs what is there already, and no update.
	must(t, s.Apply(store.Put("download", []byte("damaged"))))
	must(t, d.Write("/5/0/1", dm.StringValue("http://files.example/2.bin")))
	wait(2, 0)
	must(t, d.Write("/5/0/1", dm.StringValue("")))
	for uri, result := range map[string]int64{"http://files.example/3.bin": 7, "ftp://files.example/": 9} {
		must(t, d.Write("/5/0/1", dm.StringValue(uri)))
		wait(0, result)
	}
	if _, err := os.Stat(filepath.Join(dir, "image")); errors.Is(err, os.ErrNotExist) {
		t.Error("the file is gone")
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
