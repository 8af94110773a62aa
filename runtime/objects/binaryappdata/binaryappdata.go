package binaryappdata

import (
	"context"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/generated/binaryappdatacontainer"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/behaviour"
)

// Instance is one container.
type Instance = binaryappdatacontainer.Instance

// Config is the configuration of New.
type Config struct {
	// Received is called with a container whose data a server has written, after the server has its
	// response. It must not wait. It is not called for what is restored from a store. The zero
	// value means that nothing is called.
	Received func(ctx context.Context, id dm.InstanceID, c Instance)
	// MaxSize bounds the data of one container, in bytes. The zero value means 16 KiB.
	MaxSize int
	// MaxInstances is how many containers there may be when a server creates one. The zero value
	// means that servers create and delete none.
	MaxInstances int
	// Hooks run in addition to the hooks of this package. The zero value means none.
	Hooks binaryappdatacontainer.Hooks
}

// maxItems bounds the resource instances of Data.
const maxItems = 64

// BinaryAppData is the BinaryAppDataContainer object. It is an object for lwm2m.Config.Objects. Its
// methods may be called from any goroutine.
type BinaryAppData struct {
	*binaryappdatacontainer.Object
	cfg Config
}

// New returns the object without containers. Its Validate hook refuses with 4.13 more than
// Config.MaxSize bytes, or 64 resource instances, of data in one container.
func New(c Config) (*BinaryAppData, error) {
	if c.MaxSize == 0 {
		c.MaxSize = 16 << 10
	}
	if c.MaxSize < 0 {
		return nil, fmt.Errorf("binaryappdata: Config.MaxSize is %d, it must not be negative", c.MaxSize)
	}
	b := &BinaryAppData{cfg: c}
	cfg := binaryappdatacontainer.Config{
		Hooks:        behaviour.Join(binaryappdatacontainer.Hooks{Validate: b.validate, Changed: b.onChanged}, c.Hooks),
		MaxInstances: c.MaxInstances,
	}
	if c.MaxInstances > 0 {
		cfg.Template = Template()
	}
	o, err := binaryappdatacontainer.New(cfg)
	if err != nil {
		return nil, err
	}
	b.Object = o
	return b, nil
}

// Template returns a container without data that supports all resources. Containers that servers
// create start with it.
func Template() Instance {
	return Instance{
		Data:             dm.ByteLists(),
		DataPriority:     dm.Empty[int64](),
		DataCreationTime: dm.Empty[time.Time](),
		DataDescription:  dm.Empty[string](),
		DataFormat:       dm.Empty[string](),
		AppID:            dm.Empty[int64](),
	}
}

// Post replaces the data of a container, one resource instance for each item, and sets Data
// Creation Time to now if the container has it. Servers that observe the container are notified; to
// report the data to a server that does not observe it, send the container's path with
// lwm2m.Client.Send. Post waits for other transactions until ctx ends.
func (b *BinaryAppData) Post(ctx context.Context, id dm.InstanceID, items ...[]byte) error {
	return b.Update(ctx, id, func(c *Instance) error {
		c.Data = dm.ByteLists(items...)
		if c.DataCreationTime.Supported() {
			c.DataCreationTime.Set(time.Now())
		}
		return nil
	})
}

func (b *BinaryAppData) validate(_ context.Context, tx *binaryappdatacontainer.Tx) error {
	for c := range tx.Changes() {
		size := 0
		for _, item := range c.New.Data.All() {
			size += len(item)
		}
		if n := c.New.Data.Len(); n > maxItems || size > b.cfg.MaxSize {
			return dm.Errorf(dm.RequestEntityTooLarge, "%d items of %d bytes: a container has at most %d of %d bytes",
				n, size, maxItems, b.cfg.MaxSize)
		}
	}
	return nil
}

func (b *BinaryAppData) onChanged(ctx context.Context, tx *binaryappdatacontainer.Tx) {
	// The program's own change is none, and neither is one with the rights of a bootstrap server,
	// such as that of a program that restores what it has stored.
	if _, byServer := tx.Origin().ShortServerID(); b.cfg.Received == nil || !byServer {
		return
	}
	for c := range tx.Changes() {
		if c.Affects(binaryappdatacontainer.DataID) {
			b.cfg.Received(ctx, c.ID, *c.New)
		}
	}
}
