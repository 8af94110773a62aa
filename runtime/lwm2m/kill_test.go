package lwm2m_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/setpoint"
	"github.com/lwm2mgen/toolkit/net/udp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mserver"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/store"
)

// TestMain runs a device instead of the tests if the environment says so.
func TestMain(m *testing.M) {
	if dir := os.Getenv("LWM2M_DEVICE_STORE"); dir != "" {
		if err := runKilled(dir, os.Getenv("LWM2M_DEVICE_SERVER")); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// killedConfig is the configuration of the device that is killed: two set points, and one server
// that manages and bootstraps it.
func killedConfig(s store.Store, uri string) (lwm2m.Config, error) {
	goals, err := setpoint.New(setpoint.Config{Template: setpoint.Instance{ApplicationType: dm.Empty[string]()}})
	if err != nil {
		return lwm2m.Config{}, err
	}
	for id := range dm.InstanceID(2) {
		if err := goals.Add(id, setpoint.Instance{SetPointValue: dm.Float(0), ApplicationType: dm.Empty[string]()}); err != nil {
			return lwm2m.Config{}, err
		}
	}
	return lwm2m.Config{
		Endpoint: "dev", Logger: quiet(), Objects: []dm.Object{goals}, Store: s, StoredObjects: []dm.ObjectID{setpoint.ObjectID},
		Servers: []lwm2m.Server{{URI: uri, Bootstrap: true}, {URI: uri, Lifetime: time.Hour}},
	}, nil
}

// runKilled runs the device until it is killed.
func runKilled(dir, uri string) error {
	s, err := store.OpenDir(dir, store.Config{Logger: quiet()})
	if err != nil {
		return err
	}
	cfg, err := killedConfig(s, uri)
	if err != nil {
		return err
	}
	c, err := lwm2m.New(cfg)
	if err != nil {
		return err
	}
	return c.Run(context.Background())
}

// tally counts what a server has sent and what was acknowledged. A write and a bootstrap set two
// values each, to the same number.
type tally struct{ wrote, acked, booted, finished atomic.Int64 }

// killRig is a server whose device is killed again and again.
type killRig struct {
	t      *testing.T
	server *lwm2mtest.Server
	dir    string
	tally  tally
	seed   uint64
}

// bootstrapSteps is a bootstrap that sets a number in two objects.
func (k *killRig) bootstrapSteps(string) ([]lwm2mserver.BootstrapStep, bool) {
	n := k.tally.booted.Add(1)
	server, goal := dm.InstancePath(1, 0), dm.InstancePath(setpoint.ObjectID, 1)
	at := func(p dm.Path, r dm.ResourceID) dm.Path { return dm.ResourcePath(p.Object(), p.Instance(), r) }
	return []lwm2mserver.BootstrapStep{
		lwm2mserver.BootstrapWriteValues("/1/0/1", dm.Entry{Path: at(server, 1), Value: dm.IntegerValue(3600 + n)}),
		lwm2mserver.BootstrapWriteValues("/3308/1/5750", dm.Entry{Path: at(goal, setpoint.ApplicationTypeID), Value: dm.StringValue(strconv.FormatInt(3600+n, 10))}),
		lwm2mserver.BootstrapFinish(),
	}, true
}

// work writes, bootstraps and observes until ctx ends.
func (k *killRig) work(ctx context.Context, r *rand.Rand) {
	d, ok := k.server.Client("dev")
	if !ok {
		return
	}
	if r.IntN(2) == 0 {
		_, _, _ = d.Observe(ctx, "/3308", content.SenMLCBOR)
	}
	pad := strings.Repeat("x", 1000*r.IntN(2)) // so that the store is compacted now and then
	for ctx.Err() == nil {
		if r.IntN(4) > 0 {
			n := k.tally.wrote.Add(1)
			payload := fmt.Sprintf(`[{"n":"/3308/0/5900","v":%d},{"n":"/3308/1/5900","v":%d},{"n":"/3308/0/5750","vs":"%s"}]`, n, n, pad)
			a, err := d.Do(ctx, lwm2mserver.Operation{Method: coap.IPATCH, Payload: []byte(payload), Format: content.SenMLJSON})
			if err == nil && a.Code == coap.Changed {
				k.tally.acked.Store(n)
			}
			continue
		}
		before := k.tally.booted.Load()
		if a, err := d.Execute(ctx, "/1/0/9", ""); err != nil || a.Code != coap.Changed {
			continue
		}
		b, _, err := k.server.Server.WaitBootstrap(ctx, int(before), "dev")
		if err == nil && b.Wait(ctx) == nil && b.Finished() {
			k.tally.finished.Store(k.tally.booted.Load())
		}
	}
}

// life runs the device, kills it after a random time, and checks what it has stored.
func (k *killRig) life(n int, r *rand.Rand) {
	k.t.Helper()
	self, err := os.Executable()
	if err != nil {
		k.t.Fatal(err)
	}
	cmd := exec.CommandContext(k.t.Context(), self, "-test.run=^$")
	cmd.Env, cmd.Stderr = append(os.Environ(), "LWM2M_DEVICE_STORE="+k.dir, "LWM2M_DEVICE_SERVER="+k.server.URI()), os.Stderr
	events := len(k.server.Events())
	if err := cmd.Start(); err != nil {
		k.t.Fatal(err)
	}
	if r.IntN(5) > 0 {
		k.server.WaitEvent(events, lwm2mserver.Registered, "dev")
	}
	ctx, cancel := context.WithTimeout(k.t.Context(), time.Duration(r.IntN(180))*time.Millisecond)
	defer cancel()
	k.work(ctx, r)
	<-ctx.Done()
	if err := cmd.Process.Kill(); err != nil {
		k.t.Fatal(err)
	}
	if err := cmd.Wait(); cmd.ProcessState.Exited() {
		k.t.Fatalf("seed %d, kill %d: the device ended by itself: %v", k.seed, n, err)
	}
	if err := k.check(); err != nil {
		k.t.Fatalf("seed %d, kill %d: %v", k.seed, n, err)
	}
}

// check starts a client over the store, without running it, and compares what it restores with what
// was sent and acknowledged.
func (k *killRig) check() error {
	s, err := store.OpenDir(k.dir, store.Config{Logger: quiet()})
	if err != nil {
		return err
	}
	defer func() { _ = s.Close() }() // the next opening shows what is there
	cfg, err := killedConfig(s, k.server.URI())
	if err != nil {
		return err
	}
	c, err := lwm2m.New(cfg)
	if err != nil {
		return err
	}
	value := func(p string) dm.Value {
		path, perr := dm.ParsePath(p)
		v, verr := c.Model().Snapshot().Value(context.Background(), dm.Application, path)
		if perr != nil || verr != nil {
			v = dm.Value{}
		}
		return v
	}
	a, b := int64(value("/3308/0/5900").Float()), int64(value("/3308/1/5900").Float())
	if acked, wrote := k.tally.acked.Load(), k.tally.wrote.Load(); a != b || a < acked || a > wrote {
		return fmt.Errorf("a write is half there or lost: %d and %d, acknowledged %d, sent %d", a, b, acked, wrote)
	}
	k.tally.acked.Store(a)
	booted := value("/1/0/1").Integer() - 3600
	text := value("/3308/1/5750").Text()
	if finished, begun := k.tally.finished.Load(), k.tally.booted.Load(); booted < finished || booted > begun || booted > 0 && text != strconv.FormatInt(3600+booted, 10) {
		return fmt.Errorf("a bootstrap is half there or lost: %d and %q, finished %d, begun %d", booted, text, finished, begun)
	}
	k.tally.finished.Store(booted)
	return nil
}

// TestKill kills a device at random moments of writes, bootstraps, notifications and compactions:
// 50 times, or LWM2M_KILLS times. It always starts again, nothing that was acknowledged is lost,
// and no transaction or bootstrap is there in part.
func TestKill(t *testing.T) {
	kills := 50
	if n, err := strconv.Atoi(os.Getenv("LWM2M_KILLS")); err == nil {
		kills = n
	} else if testing.Short() {
		kills = 5
	}
	l, err := udp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
	if err != nil {
		t.Fatal(err)
	}
	k := &killRig{t: t, server: lwm2mtest.NewServer(t, l), dir: t.TempDir(), seed: rand.Uint64()}
	k.server.FindScript(k.bootstrapSteps)
	r := rand.New(rand.NewPCG(k.seed, 0))
	for n := range kills {
		k.life(n, r)
	}
	t.Logf("%d kills, %d writes, %d bootstraps", kills, k.tally.acked.Load(), k.tally.finished.Load())
	if k.tally.acked.Load() == 0 || k.tally.finished.Load() == 0 && kills >= 50 {
		t.Error("nothing was written, or no bootstrap has finished")
	}
}
