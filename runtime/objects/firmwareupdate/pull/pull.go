// Package pull lets the Firmware Update object download images by Package URI, over CoAP and HTTP,
// with package download: it continues after a loss of the connection, a restart and a loss of
// power.
//
//	client, err := download.New(download.Config{Dialers: dialers})
//	...
//	update, err := firmwareupdate.New(firmwareupdate.Config{
//		Storage:    file, // of download.OpenFile
//		Downloader: pull.New(client, download.Records{Store: state, Name: "download"}),
//		...
//	})
//
// It is a package of its own so that a device to which servers only push needs no HTTP client. The
// one name is [New].
package pull

import (
	"context"
	"errors"

	values "github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

// New returns a Downloader for firmwareupdate.Config. records keeps how far a download is; the zero
// value means that a download starts from the beginning after a restart.
func New(client *download.Client, records download.Records) firmwareupdate.Downloader {
	return &downloader{client, records}
}

type downloader struct {
	client  *download.Client
	records download.Records
}

// Schemes returns the schemes of the client.
func (d *downloader) Schemes() []string { return d.client.Schemes() }

// Download downloads to the storage.
func (d *downloader) Download(ctx context.Context, uri string, storage firmwareupdate.Storage) error {
	r := download.Request{URI: uri, Sink: storage}
	if d.records.Store != nil {
		record, err := d.records.Load()
		if err != nil {
			return err
		}
		if record.Offset <= storage.Content().Size() {
			r.Record = record
		}
		r.Save = d.records.Save
	}
	running, err := d.client.Start(r)
	if err != nil {
		return withResult(err)
	}
	if err = running.Wait(ctx); ctx.Err() != nil {
		running.Cancel()
		_ = running.Wait(context.WithoutCancel(ctx)) // until the storage is not used any more
		return context.Cause(ctx)
	}
	return withResult(err)
}

var results = map[download.Kind]int64{
	download.Failed:              values.UpdateResultUpdateFailed,
	download.NoSpace:             values.UpdateResultNotEnoughStorage,
	download.OutOfMemory:         values.UpdateResultOutOfRAM,
	download.ConnectionLost:      values.UpdateResultConnectionLost,
	download.Inconsistent:        values.UpdateResultIntegrityCheckFailed,
	download.UnsupportedType:     values.UpdateResultUnsupportedPackageType,
	download.InvalidURI:          values.UpdateResultInvalidURI,
	download.UnsupportedProtocol: values.UpdateResultUnsupportedProtocol,
}

// withResult adds the Update Result to an error of package download.
func withResult(err error) error {
	var e *download.Error
	if errors.As(err, &e) {
		return firmwareupdate.Fail(results[e.Kind], err)
	}
	return err
}
