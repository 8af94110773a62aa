package binaryappdata_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/binaryappdata"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
)

var must, same = objecttest.Must, objecttest.Same

func item(instance dm.InstanceID, n dm.ResourceInstanceID, data string) dm.Entry {
	return dm.Entry{Path: dm.ResourceInstancePath(19, instance, 0, n), Value: dm.OpaqueValue([]byte(data))}
}

func TestPostAndReceive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var received []string
		b, err := binaryappdata.New(binaryappdata.Config{
			Received: func(_ context.Context, id dm.InstanceID, c binaryappdata.Instance) {
				text := fmt.Sprint(id)
				for n, data := range c.Data.All() {
					text += fmt.Sprintf(" %d:%s", n, data)
				}
				received = append(received, text+" "+c.DataFormat.Or("-"))
			},
			MaxSize: 8, MaxInstances: 3,
		})
		must(t, err)
		must(t, b.Add(0, binaryappdata.Instance{Data: dm.ByteLists()}))
		must(t, b.Add(1, binaryappdata.Template()))
		d := objecttest.New(t, b)
		ctx := context.Background()
		must(t, b.Post(ctx, 0, []byte("one"), []byte("two")))
		if n := len(d.Read("/19/0")); n != 2 {
			t.Errorf("container 0 has %d values, want the data alone", n)
		}
		must(t, b.Post(ctx, 1, []byte("a")))
		if at := d.Value("/19/1/2").Seconds(); at != time.Now().Unix() {
			t.Errorf("created at %d", at)
		}
		same(t, received)
		must(t, d.Write("/19/1/0/5", dm.OpaqueValue([]byte("cmd"))))
		must(t, d.Write("/19/1/4", dm.StringValue("text"))) // no data
		must(t, d.Create(19, 2, item(2, 0, "x"), dm.Entry{Path: dm.ResourcePath(19, 2, 4), Value: dm.StringValue("y")}))
		same(t, received, "1 5:cmd -", "2 0:x y")
		for what, err := range map[string]error{
			"a Post of 9 bytes":  b.Post(ctx, 0, []byte("12345"), []byte("6789")),
			"a Write of 9 bytes": d.Write("/19/1/0/5", dm.OpaqueValue([]byte("123456789"))),
			"65 items":           b.Post(ctx, 0, make([][]byte, 65)...),
		} {
			if !errors.Is(err, dm.RequestEntityTooLarge) {
				t.Errorf("%s: %v", what, err)
			}
		}
		if err := d.Create(19, 3, item(3, 0, "x")); err == nil {
			t.Error("a server created more containers than MaxInstances")
		}
		if err := b.Post(ctx, 9); err == nil {
			t.Error("a Post to a container that does not exist")
		}
		if err := d.Write("/19/1/4", dm.StringValue(strings.Repeat("x", 33))); !errors.Is(err, dm.BadRequest) {
			t.Errorf("a format of 33 characters: %v", err)
		}
	})
}

func TestConformance(t *testing.T) {
	b, err := binaryappdata.New(binaryappdata.Config{MaxInstances: 8})
	must(t, err)
	must(t, b.Add(0, binaryappdata.Template()))
	dmtest.Object(t, b.Object)
	if _, err := binaryappdata.New(binaryappdata.Config{MaxSize: -1}); err == nil {
		t.Error("a negative size was accepted")
	}
}

// A meter posts a reading.
func Example() {
	box, err := binaryappdata.New(binaryappdata.Config{})
	if err != nil {
		fmt.Println(err)
		return
	}
	err = box.Add(0, binaryappdata.Instance{Data: dm.ByteLists(), DataFormat: dm.Str("meter-1")})
	if err != nil {
		fmt.Println(err)
		return
	}
	if err := box.Post(context.Background(), 0, []byte{0x17, 0x2a}); err != nil {
		fmt.Println(err)
	}
	inst, _ := box.Get(0)
	data, _ := inst.Data.Get(0)
	fmt.Printf("%v: %x\n", inst.DataFormat, data)
	// Output:
	// meter-1: 172a
}
