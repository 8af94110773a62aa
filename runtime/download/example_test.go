package download_test

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// startServer starts a file server on this machine and returns the URIs of the image.
func startServer(image []byte) (coapURI, httpURI string, stop func(), err error) {
	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		return "", "", nil, err
	}
	srv, err := lwm2mserver.New(lwm2mserver.Config{Listeners: []socket.Listener{l}})
	if err != nil {
		return "", "", nil, err
	}
	web := httptest.NewServer(srv.FileHandler())
	err = srv.ServeFile("/fw.bin", lwm2mserver.File{Content: bytes.NewReader(image), Size: int64(len(image))})
	return srv.URI() + "/fw.bin", web.URL + "/fw.bin", func() { web.Close(); srv.Close() }, err
}

// A device downloads an image to a file and computes its checksum.
func Example() {
	image := bytes.Repeat([]byte("firmware"), 5000)
	coapURI, httpURI, stop, err := startServer(image)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer stop()
	dir, err := os.MkdirTemp("", "download")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(dir)

	client, err := download.New(download.Config{
		Dialers: []socket.Dialer{udp.Dialer{}, tcp.Dialer{}},
		Logger:  slog.New(slog.DiscardHandler),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for i, uri := range []string{coapURI, httpURI} {
		file, err := download.OpenFile(filepath.Join(dir, fmt.Sprint("firmware", i)))
		if err != nil {
			fmt.Println(err)
			return
		}
		d, err := client.Start(download.Request{URI: uri, Sink: file})
		if err == nil {
			err = d.Wait(context.Background())
		}
		if err != nil {
			fmt.Println(err)
			return
		}
		h := sha256.New()
		n, err := io.Copy(h, file.Content())
		fmt.Println(n, "bytes", bytes.Equal(h.Sum(nil), sum256(image)), err)
		_ = file.Close()
	}
	// Output:
	// 40000 bytes true <nil>
	// 40000 bytes true <nil>
}

func sum256(b []byte) []byte { s := sha256.Sum256(b); return s[:] }

// A record in a store lets a download continue after a restart of the device.
func ExampleRecords() {
	run := func(client *download.Client, s store.Store, uri, path string) error {
		file, err := download.OpenFile(path)
		if err != nil {
			return err
		}
		defer file.Close()
		records := download.Records{Store: s, Name: "download/firmware"}
		record, err := records.Load()
		if err != nil {
			return err
		}
		d, err := client.Start(download.Request{URI: uri, Sink: file, Record: record, Save: records.Save})
		if err != nil {
			return err
		}
		return d.Wait(context.Background())
	}
	_ = run
}

// The kind of an error says what to report.
func ExampleError() {
	client, err := download.New(download.Config{Dialers: []socket.Dialer{udp.Dialer{}}})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer client.Close()
	for _, uri := range []string{"ftp://files.example/fw.bin", "coap://me:secret@files.example/fw.bin", "http://files.example/fw.bin"} {
		_, err := client.Start(download.Request{URI: uri, Sink: new(download.File)})
		var e *download.Error
		if errors.As(err, &e) {
			fmt.Println(e.Kind)
		}
	}
	// Output:
	// unsupported protocol
	// invalid URI
	// unsupported protocol
}
