package docs_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/content/codec"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// keeper is the store that docs/objects.md prints.
type keeper struct {
	file string
	err  error // the error that persist returns, if any
}

func (k *keeper) persist(ctx context.Context, c dm.Committed) error {
	if k.err != nil {
		return k.err
	}
	return k.keep(ctx, c)
}

func (k *keeper) keep(_ context.Context, c dm.Committed) error {
	var enc codec.Encoder
	if err := enc.Begin(content.SenMLCBOR, nil, content.Target{}); err != nil {
		return err
	}
	err := c.After.Stored(dm.ObjectPath(setpoint.ObjectID), func(p dm.Path, v dm.Value) error {
		if v.Type() == registry.None {
			return nil // supported, but empty
		}
		return enc.Value(p, v)
	})
	if err != nil {
		return err
	}
	record, err := enc.Finish()
	if err != nil {
		return err
	}
	if err := os.WriteFile(k.file+".new", record, 0o600); err != nil {
		return err
	}
	return os.Rename(k.file+".new", k.file)
}

func (k *keeper) restore(ctx context.Context, m *dm.Model) error {
	record, err := os.ReadFile(k.file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil // the first start
	}
	if err != nil {
		return err
	}
	var dec codec.Decoder
	var entries []dm.Entry
	err = dec.Decode(content.SenMLCBOR, record, content.Request{Schema: m.Snapshot().Definition}, func(e dm.Entry) error {
		entries = append(entries, e)
		return nil
	})
	if err != nil {
		return err
	}
	t, err := m.Begin(ctx, dm.Bootstrap)
	if err != nil {
		return err
	}
	defer t.Rollback() // does nothing after Commit
	for range 2 {      // once to make instances from the template, once to empty the rest
		if err := t.Write(dm.ObjectPath(setpoint.ObjectID), dm.Replace, entries); err != nil {
			return err
		}
	}
	return t.Commit()
}

// newKept returns a device that stores its set points and has restored the stored ones.
func newKept(ctx context.Context, k *keeper, uri string) (*lwm2m.Client, *setpoint.Object, error) {
	dev, err := device.New(device.Config{
		Instance: device.Instance{Manufacturer: dm.Str("Example"), SerialNumber: dm.Str("4711")},
	})
	if err != nil {
		return nil, nil, err
	}
	goals, err := setpoint.New(setpoint.Config{Template: setpoint.Instance{ApplicationType: dm.Empty[string]()}})
	if err != nil {
		return nil, nil, err
	}
	if err := goals.Add(0, setpoint.Instance{SetPointValue: dm.Float(21), ApplicationType: dm.Empty[string]()}); err != nil {
		return nil, nil, err
	}
	client, err := lwm2m.New(lwm2m.Config{
		Endpoint: "kept",
		Servers:  []lwm2m.Server{{URI: uri}},
		Objects:  []dm.Object{dev, goals},
		Persist:  k.persist,
	})
	if err != nil {
		return nil, nil, err
	}
	return client, goals, k.restore(ctx, client.Model())
}

// Values that a server wrote and instances that it created survive a restart. A change that cannot
// be stored is refused.
func TestStoredSetPointsSurviveARestart(t *testing.T) {
	k := &keeper{file: filepath.Join(t.TempDir(), "goals")}
	srv := lwm2mtest.NewServer(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	client, goals, err := newKept(ctx, k, srv.URI())
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan error, 1)
	go func() { ended <- client.Run(ctx) }()
	dev := srv.WaitRegistered("kept")
	if ans, err := dev.Write(t.Context(), "/3308/0/5900", content.Text, []byte("60")); err != nil || ans.Code.String() != "2.04" {
		t.Fatal(ans, err)
	}
	made, err := lwm2mtest.Encode(content.SenMLCBOR, "/3308/7",
		lwm2mtest.Value("/3308/7/5750", dm.StringValue("attic")), lwm2mtest.Value("/3308/7/5900", dm.FloatValue(5)))
	if err != nil {
		t.Fatal(err)
	}
	if ans, err := dev.Create(t.Context(), "/3308", content.SenMLCBOR, made); err != nil || ans.Code.String() != "2.01" {
		t.Fatal(ans, err)
	}
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	k.err = errors.New("the flash is full")
	err = goals.Update(t.Context(), 0, func(i *setpoint.Instance) error { i.SetPointValue.Set(70); return nil })
	if !errors.Is(err, k.err) {
		t.Errorf("Update without storage: %v, want %v", err, k.err)
	}
	k.err = nil

	_, goals, err = newKept(t.Context(), k, srv.URI())
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for id, i := range goals.All() {
		got = append(got, dm.InstancePath(setpoint.ObjectID, id).String(), dm.FloatValue(i.SetPointValue.Or(-1)).String(), i.ApplicationType.Or("none"))
	}
	if want := []string{"/3308/0", "60", "none", "/3308/7", "5", "attic"}; !slices.Equal(got, want) {
		t.Errorf("after the restart the set points are %q, want %q", got, want)
	}
}
