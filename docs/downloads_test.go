package docs_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"net/url"
	"os"
	"testing"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate/pull"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// The functions of docs/downloads.md are compiled and never called.
var _ = []any{downloadFile, checkFile, continueDownload, secureDownloads, suspendDownloads,
	suspendWithClient, shareConnection, testDownloads, download.Sink(new(partition))}

func downloadFile(ctx context.Context) error {
	client, err := download.New(download.Config{
		Dialers: []socket.Dialer{udp.Dialer{}, tcp.Dialer{}},
	})
	if err != nil {
		return err
	}
	defer client.Close()
	file, err := download.OpenFile("/var/lib/probe/firmware.new")
	if err != nil {
		return err
	}
	defer file.Close()
	d, err := client.Start(download.Request{URI: "coap://files.example/probe-2.1.bin", Sink: file})
	if err != nil {
		return err
	}
	err = d.Wait(ctx)
	return err
}

func checkFile(file *download.File, want []byte) error {
	h := sha256.New()
	if _, err := io.Copy(h, file.Content()); err != nil {
		return err
	}
	if !bytes.Equal(h.Sum(nil), want) {
		return errors.New("the image is damaged")
	}
	return nil
}

func continueDownload(ctx context.Context, client *download.Client, s store.Store, uri string, file *download.File) error {
	records := download.Records{Store: s, Name: "download/firmware"}
	record, err := records.Load()
	if err != nil {
		return err
	}
	d, err := client.Start(download.Request{URI: uri, Sink: file, Record: record, Save: records.Save})
	if err != nil {
		return err
	}
	return d.Wait(ctx)
}

func suspendDownloads(client *download.Client) {
	client.Suspend()
	// The device is offline.
	client.Resume() // continues at once
}

func suspendWithClient(cfg *lwm2m.Config, downloads *download.Client) {
	cfg.OnStatus = func(s lwm2m.ServerStatus) {
		switch s.State {
		case lwm2m.StateSuspended, lwm2m.StateAsleep:
			downloads.Suspend()
		case lwm2m.StateRegistered:
			downloads.Resume()
		}
	}
}

type display interface{ Show(received, total int64) }

func shareConnection(cfg lwm2m.Config, newUpdate func(firmwareupdate.Downloader) dm.Object, state store.Store, display display) (*lwm2m.Client, error) {
	loop, err := lwm2m.NewLoop(lwm2m.LoopConfig{})
	if err != nil {
		return nil, err
	}
	downloads, err := download.New(download.Config{Dialers: cfg.Dialers, Scheduler: loop.Sched()})
	if err != nil {
		return nil, err
	}
	var client *lwm2m.Client
	downloader := pull.New(downloads, download.Records{Store: state, Name: "download"})
	downloader.Conn = func(uri string) (*coap.Conn, bool) { return client.Conn(uri) }
	downloader.Progress = func(p download.Progress) { display.Show(p.Received, p.Total) }

	cfg.Loop = loop
	cfg.Objects = append(cfg.Objects, newUpdate(downloader))
	client, err = lwm2m.New(cfg)
	return client, err
}

func secureDownloads(cfg *download.Config, identity []byte, key socket.Secret) {
	cfg.Security = func(uri *url.URL) (socket.Security, error) {
		return socket.Security{Mode: socket.ModePSK, Identity: identity, Key: key}, nil
	}
}

// partition is a sink that writes to a partition.
type partition struct {
	flash *os.File
	size  int64
}

func (p *partition) Write(b []byte) (int, error) {
	n, err := p.flash.WriteAt(b, p.size)
	p.size += int64(n)
	return n, err
}

func (p *partition) Sync() error { return p.flash.Sync() }

func (p *partition) Truncate(size int64) error {
	p.size = size // what is behind it is overwritten
	return nil
}

func testDownloads(t *testing.T, image []byte) []string {
	srv := lwm2mtest.NewServer(t)
	err := srv.ServeFile("/fw.bin", lwm2mtest.File{Content: bytes.NewReader(image), Size: int64(len(image))})
	if err != nil {
		t.Fatal(err)
	}
	srv.DisturbFiles(3, lwm2mtest.FileFault{Break: true}, func(r lwm2mtest.FileRequest) bool {
		return r.Offset >= 100_000
	})
	uris := []string{srv.URI() + "/fw.bin", srv.StartHTTP() + "/fw.bin"}
	return uris
}
