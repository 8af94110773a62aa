package lwm2mserver

import (
	"context"
	"io"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
)

// Push writes an image of size bytes to a resource of the device, such as the Package of a firmware
// component ("/33629/0/0"), block by block. It returns the device's response to the last block, or
// to the one that it has refused. progress is called with the number of bytes that the device has
// acknowledged, before each further block; it must return quickly and not use the Server. A nil
// progress is not called. The image is read on the goroutine of the server.
func (c *Client) Push(ctx context.Context, path string, image io.ReaderAt, size int64, progress func(sent int64)) (Answer, error) {
	return c.Do(ctx, Operation{Method: coap.PUT, Path: path, Accept: content.None, Format: content.Opaque,
		image: &pushedImage{image, size, progress, 0}})
}

// PushFirmware pushes a firmware image to the resource Package of the device ("/5/0/0"), see
// [Client.Push].
func (c *Client) PushFirmware(ctx context.Context, image io.ReaderAt, size int64, progress func(sent int64)) (Answer, error) {
	return c.Push(ctx, "/5/0/0", image, size, progress)
}

// pushedImage is a coap.Source that reports how far it was read.
type pushedImage struct {
	io.ReaderAt
	size     int64
	progress func(sent int64)
	sent     int64
}

// ReadAt reads a block. A block that is made means that the device has acknowledged those before.
func (p *pushedImage) ReadAt(b []byte, off int64) (int, error) {
	if off > p.sent && p.progress != nil {
		p.sent = off
		p.progress(off)
	}
	return p.ReaderAt.ReadAt(b, off)
}

// Close implements coap.Source.
func (*pushedImage) Close() error { return nil }
