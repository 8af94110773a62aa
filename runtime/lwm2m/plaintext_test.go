package lwm2m_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/lwm2mgen/toolkit/generated/binaryappdatacontainer"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// Config.PlainText changes the format of answers to requests for a single value without Accept, and
// of no others.
func TestDefaultFormatOfSingleValues(t *testing.T) {
	const none, text, opaque, tlv, cbor = content.None, content.Text, content.Opaque, content.TLV, content.SenMLCBOR
	for _, c := range []struct {
		version registry.Version
		plain   bool
		// The formats of a single value, of a single Opaque, and of everything else.
		value, bytes, other content.Format
	}{
		{registry.V(1, 0), false, tlv, tlv, tlv},
		{registry.V(1, 0), true, text, opaque, tlv},
		{registry.V(1, 2), false, cbor, cbor, cbor},
		{registry.V(1, 2), true, text, opaque, cbor},
	} {
		synctest.Test(t, func(t *testing.T) {
			dev := plainDevice(t, c.version, c.plain)
			check := func(path string, accept, want content.Format) {
				t.Helper()
				read, err := dev.Read(t.Context(), path, accept)
				if err != nil || read.Code != coap.Content || read.Format != want {
					t.Errorf("LwM2M %v, PlainText %t: Read of %s is %v in %v, %v; want %v", c.version, c.plain, path, read.Code, read.Format, err, want)
				}
				obs, first, err := dev.Observe(t.Context(), path, accept)
				if err != nil || first.Code != coap.Content || first.Format != want {
					t.Errorf("LwM2M %v, PlainText %t: Observe of %s is %v in %v, %v; want %v", c.version, c.plain, path, first.Code, first.Format, err, want)
				}
				if _, err := obs.Cancel(t.Context()); err != nil {
					t.Error(err)
				}
			}
			check("/3/0/0", none, c.value)
			check("/3/0/11/0", none, c.value)
			check("/19/0/0/0", none, c.bytes)
			check("/3/0/11", none, c.other)
			check("/3/0", none, c.other)
			check("/3", none, c.other)
			check("/3/0/0", content.SenMLJSON, content.SenMLJSON)
			check("/3/0/0", tlv, tlv)
		})
	}
}

// plainDevice returns a device that is registered.
func plainDevice(t *testing.T, version registry.Version, plain bool) *lwm2mtest.Client {
	t.Helper()
	n := simnet.New(1)
	l, err := n.NewHost("cloud").Listen(5683)
	must(t, err)
	srv := lwm2mtest.NewServer(t, l)
	blobs, err := binaryappdatacontainer.New(binaryappdatacontainer.Config{})
	must(t, err)
	must(t, blobs.Add(0, binaryappdatacontainer.Instance{Data: dm.List([]byte("blob"))}))
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "dev", Servers: []lwm2m.Server{{URI: "coap://cloud"}}, Dialers: []socket.Dialer{n.NewHost("device").Dialer()},
		Objects: []dm.Object{etsDevice(t), blobs}, MaxVersion: version, PlainText: plain, Logger: quiet(),
	})
	must(t, err)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		must(t, <-ended)
	})
	return srv.WaitRegistered("dev")
}
