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
// With [Downloader.Conn] images of the LwM2M server arrive over the connection that the device has
// already.
//
// It is a package of its own so that a device to which servers only push needs no HTTP client. The
// names are [New] and [Downloader], which it returns.
package pull

import (
	"context"
	"errors"

	values "github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/download"
	"github.com/lwm2mgen/toolkit/runtime/objects/firmwareupdate"
)

// New returns a Downloader for firmwareupdate.Config. records keeps how far a download is; the zero
// value means that a download starts from the beginning after a restart.
func New(client *download.Client, records download.Records) *Downloader {
	return &Downloader{client: client, records: records}
}

// Downloader is a firmwareupdate.Downloader. Make one with [New], and set its fields before the
// first download.
type Downloader struct {
	// Conn returns a connection to use in place of one of its own, see download.Request.Conn. Set
	// it to the method Conn of the LwM2M client, with the scheduler of its loop as
	// download.Config.Scheduler: then an image of the LwM2M server arrives over the connection that
	// the device is registered over. The zero value means that downloads connect by themselves.
	Conn func(uri string) (conn *coap.Conn, ok bool)
	// Progress is called when something has changed, on the loop of the download client. The zero
	// value means that no callback is called.
	Progress func(download.Progress)

	client  *download.Client
	records download.Records
}

// Schemes returns the schemes of the download client.
func (d *Downloader) Schemes() []string { return d.client.Schemes() }

// Download downloads to the storage.
func (d *Downloader) Download(ctx context.Context, uri string, storage firmwareupdate.Storage) error {
	r := download.Request{URI: uri, Sink: storage, Conn: d.Conn, Progress: d.Progress}
	if d.records.Store != nil {
		// A record that cannot be read costs what is there already, and not the update.
		if record, err := d.records.Load(); err == nil && record.Offset <= storage.Content().Size() {
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
