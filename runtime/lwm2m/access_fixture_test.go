package lwm2m_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	aclobject "github.com/lwm2mgen/toolkit/runtime/objects/accesscontrol"
)

// gadget is an object with every kind of operation, whose instances servers may create.
const gadgetID dm.ObjectID = 33001

type gadget struct {
	setting dm.Res[int64]
	kick    dm.Exec
	labels  dm.Multi[string]
}

var gadgetDefinition = registry.Object{
	ID: uint16(gadgetID), Version: registry.V(1, 0), Name: "Gadget", Multiple: true,
	Resources: []registry.Resource{
		{ID: 0, Name: "Setting", Ops: registry.RW, Type: registry.Integer},
		{ID: 1, Name: "Kick", Ops: registry.E},
		{ID: 2, Name: "Labels", Ops: registry.RW, Type: registry.String, Multiple: true},
	},
}

func newGadget() gadget {
	return gadget{setting: dm.Int(7), kick: func(context.Context, dm.Args) error { return nil }, labels: dm.List("a", "b")}
}

func newGadgets(t testing.TB, ids ...dm.InstanceID) *dm.TypedObject[gadget] {
	t.Helper()
	cell := func(i *gadget, id dm.ResourceID) dm.Cell {
		switch id {
		case 0:
			return &i.setting
		case 1:
			return &i.kick
		case 2:
			return &i.labels
		}
		return nil
	}
	o, err := dm.NewObject(&gadgetDefinition, cell, dm.ObjectConfig[gadget]{Template: newGadget()})
	must(t, err)
	for _, id := range ids {
		must(t, o.Add(id, newGadget()))
	}
	return o
}

// guarded is a registered device whose object 2 the test fills, with several servers. The Short
// Server IDs are 1, 2, ...
type guarded struct {
	t       *testing.T
	client  *lwm2m.Client
	rights  *aclobject.Object
	gadgets *dm.TypedObject[gadget]
	servers []*lwm2mtest.Server
	devices []*lwm2mtest.Client // as each server sees the device
}

// onGuarded runs fn with a device that has n servers and the gadgets with these IDs.
func onGuarded(t *testing.T, n int, gadgets []dm.InstanceID, fn func(g *guarded)) {
	t.Helper()
	onGuardedConfig(t, n, gadgets, func(*lwm2m.Config) {}, fn)
}

// onGuardedConfig is onGuarded with a configuration that the test changes.
func onGuardedConfig(t *testing.T, n int, gadgets []dm.InstanceID, change func(*lwm2m.Config), fn func(g *guarded)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		g := &guarded{t: t, gadgets: newGadgets(t, gadgets...)}
		var err error
		g.rights, err = aclobject.New(aclobject.Config{})
		must(t, err)
		network := simnet.New(1)
		cfg := lwm2m.Config{
			Endpoint: "dev", Logger: quiet(), Dialers: []socket.Dialer{network.NewHost("device").Dialer()},
			Objects: []dm.Object{newDevice(t), g.gadgets, g.rights},
		}
		for i := range n {
			name := fmt.Sprint("s", i+1)
			l, err := network.NewHost(name).Listen(5683)
			must(t, err)
			g.servers = append(g.servers, lwm2mtest.NewServer(t, l))
			cfg.Servers = append(cfg.Servers, lwm2m.Server{URI: "coap://" + name, Lifetime: 24 * time.Hour})
		}
		change(&cfg)
		g.client, err = lwm2m.New(cfg)
		must(t, err)
		g.servers[0].Run(g.client.Run)
		for _, s := range g.servers {
			s.Define(&gadgetDefinition)
			g.devices = append(g.devices, s.WaitRegistered("dev"))
		}
		fn(g)
	})
}

// acl is the entries of an ACL by Short Server ID.
type acl = map[dm.ShortServerID]aclobject.Rights

// grant makes the instance of object 2 for p the given one.
func (g *guarded) grant(p dm.Path, owner dm.ShortServerID, entries acl) {
	g.t.Helper()
	inst := aclobject.Entry(p, owner, entries)
	for id, old := range g.rights.All() {
		if old.ObjectID.Or(0) == inst.ObjectID.Or(0) && old.ObjectInstanceID.Or(0) == inst.ObjectInstanceID.Or(0) {
			must(g.t, g.rights.Update(g.t.Context(), id, func(i *aclobject.Instance) error { *i = inst; return nil }))
			return
		}
	}
	_, err := g.rights.AddNew(g.t.Context(), inst)
	must(g.t, err)
}

// revoke removes the instance of object 2 for p.
func (g *guarded) revoke(p dm.Path) {
	g.t.Helper()
	inst := aclobject.Entry(p, 1, nil)
	for id, old := range g.rights.All() {
		if old.ObjectID.Or(0) == inst.ObjectID.Or(0) && old.ObjectInstanceID.Or(0) == inst.ObjectInstanceID.Or(0) {
			must(g.t, g.rights.Remove(g.t.Context(), id))
		}
	}
}

// entries returns object 2 as text, sorted: "/33001/0 owner 1: 1=RW 2=R".
func (g *guarded) entries() string {
	g.t.Helper()
	var lines []string
	for _, i := range g.rights.All() {
		target := fmt.Sprintf("/%d", i.ObjectID.Or(0))
		if n := i.ObjectInstanceID.Or(0); n != int64(aclobject.WholeObject) {
			target += fmt.Sprintf("/%d", n)
		}
		line := fmt.Sprintf("%s owner %d:", target, i.AccessControlOwner.Or(0))
		for id, r := range i.ACL.All() {
			line += fmt.Sprintf(" %d=%v", id, aclobject.Rights(r))
		}
		lines = append(lines, line)
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// ask performs an operation as a server and returns the code of the answer. Read-Composite and
// Observe-Composite, which leave out what may not be read, have a + where there is a value and a -
// where there is none.
func (g *guarded) ask(server int, op string, p dm.Path) string {
	g.t.Helper()
	do, known := accessOperations[op]
	if !known {
		g.t.Fatalf("there is no operation %q", op)
	}
	a, suffix, err := do(g.t.Context(), g.devices[server-1], p.String())
	if err != nil {
		g.t.Fatalf("%s %v by server %d: %v", op, p, server, err)
	}
	return a.Code.String()[:4] + suffix
}

type accessOperation func(ctx context.Context, dev *lwm2mtest.Client, p string) (a lwm2mtest.Answer, suffix string, err error)

// accessOperations are the operations by name, each on the instance p unless its name says
// otherwise.
var accessOperations = map[string]accessOperation{
	"Read":              readAs(""),
	"Read resource":     readAs("/0"),
	"Read object":       onObject(readAs("")),
	"Observe":           observeAs(""),
	"Observe resource":  observeAs("/0"),
	"Discover":          plainly((*lwm2mtest.Client).Discover),
	"Discover object":   onObject(plainly((*lwm2mtest.Client).Discover)),
	"Write-Attributes":  attributesAs(""),
	"Attributes object": onObject(attributesAs("")),
	"Attributes of /0":  attributesAs("/0"),
	"Write":             writeAs(coap.PUT, "/0", content.Text, "5"),
	"Write instance":    writeAs(coap.PUT, "", content.SenMLJSON, `[{"n":"0","v":5},{"n":"2/0","vs":"x"},{"n":"2/1","vs":"y"}]`),
	"Write partial":     writeAs(coap.POST, "", content.SenMLJSON, `[{"n":"0","v":5}]`),
	"Write label":       writeAs(coap.PUT, "/2/0", content.Text, "x"),
	"Delete label": plainly(func(c *lwm2mtest.Client, ctx context.Context, p string, _ ...string) (lwm2mtest.Answer, error) {
		return c.Delete(ctx, p+"/2/1")
	}),
	"Execute": plainly(func(c *lwm2mtest.Client, ctx context.Context, p string, _ ...string) (lwm2mtest.Answer, error) {
		return c.Execute(ctx, p+"/1", "")
	}),
	"Delete": plainly(func(c *lwm2mtest.Client, ctx context.Context, p string, _ ...string) (lwm2mtest.Answer, error) {
		return c.Delete(ctx, p)
	}),
	"Create": onObject(plainly(func(c *lwm2mtest.Client, ctx context.Context, p string, _ ...string) (lwm2mtest.Answer, error) {
		return c.Create(ctx, p, content.None, nil)
	})),
	"Write-Composite":   compositeWrite,
	"Read-Composite":    compositeRead,
	"Observe-Composite": compositeObserve,
	"Read-Composite /":  compositeRoot,
}

func plainly(fn func(*lwm2mtest.Client, context.Context, string, ...string) (lwm2mtest.Answer, error)) accessOperation {
	return func(ctx context.Context, dev *lwm2mtest.Client, p string) (lwm2mtest.Answer, string, error) {
		a, err := fn(dev, ctx, p)
		return a, "", err
	}
}

// onObject performs an operation on the object instead of the instance.
func onObject(fn accessOperation) accessOperation {
	return func(ctx context.Context, dev *lwm2mtest.Client, p string) (lwm2mtest.Answer, string, error) {
		object, _, _ := strings.Cut(p[1:], "/")
		return fn(ctx, dev, "/"+object)
	}
}

func readAs(below string) accessOperation {
	return func(ctx context.Context, dev *lwm2mtest.Client, p string) (lwm2mtest.Answer, string, error) {
		a, err := dev.Read(ctx, p+below, content.SenMLJSON)
		return a, "", err
	}
}

func observeAs(below string) accessOperation {
	return func(ctx context.Context, dev *lwm2mtest.Client, p string) (lwm2mtest.Answer, string, error) {
		o, a, err := dev.Observe(ctx, p+below, content.SenMLJSON)
		return a, "", errors.Join(err, cancel(ctx, o))
	}
}

func attributesAs(below string) accessOperation {
	return func(ctx context.Context, dev *lwm2mtest.Client, p string) (lwm2mtest.Answer, string, error) {
		a, err := dev.WriteAttributes(ctx, p+below, "pmin=5")
		return a, "", err
	}
}

// cancel cancels an observation, if there is one.
func cancel(ctx context.Context, o *lwm2mtest.Observation) error {
	if o == nil {
		return nil
	}
	_, err := o.Cancel(ctx)
	return err
}

func writeAs(method coap.Code, below string, f content.Format, payload string) accessOperation {
	return func(ctx context.Context, dev *lwm2mtest.Client, p string) (lwm2mtest.Answer, string, error) {
		if f == content.SenMLJSON {
			payload := strings.Replace(payload, `{"n"`, `{"bn":"`+p+`/","n"`, 1)
			a, err := dev.Do(ctx, lwm2mtest.Operation{Method: method, Path: p + below, Accept: content.None, Format: f, Payload: []byte(payload)})
			return a, "", err
		}
		a, err := dev.Do(ctx, lwm2mtest.Operation{Method: method, Path: p + below, Accept: content.None, Format: f, Payload: []byte(payload)})
		return a, "", err
	}
}

func compositeWrite(ctx context.Context, dev *lwm2mtest.Client, p string) (lwm2mtest.Answer, string, error) {
	at, err := dm.ParsePath(p + "/0")
	if err != nil {
		return lwm2mtest.Answer{}, "", err
	}
	a, err := dev.WriteComposite(ctx, content.SenMLJSON, dm.Entry{Path: at, Value: dm.IntegerValue(3)})
	return a, "", err
}

func compositeRead(ctx context.Context, dev *lwm2mtest.Client, p string) (lwm2mtest.Answer, string, error) {
	a, err := dev.ReadComposite(ctx, content.SenMLJSON, p)
	return a, present(a), err
}

func compositeRoot(ctx context.Context, dev *lwm2mtest.Client, p string) (lwm2mtest.Answer, string, error) {
	a, err := dev.ReadComposite(ctx, content.SenMLJSON, "/")
	return a, presence[strings.Contains(a.Text(), p+"/")], err
}

func compositeObserve(ctx context.Context, dev *lwm2mtest.Client, p string) (lwm2mtest.Answer, string, error) {
	o, a, err := dev.ObserveComposite(ctx, content.SenMLJSON, []string{p})
	return a, present(a), errors.Join(err, cancel(ctx, o))
}

var presence = map[bool]string{true: "+", false: "-"}

// present says whether an answer has a value.
func present(a lwm2mtest.Answer) string {
	entries, err := a.Entries()
	return presence[err == nil && len(entries) > 0]
}

// manage has a server write a number to a resource of object 2, or to a resource instance, which a
// Partial Update of the resource adds if there is none. It returns the code of the answer.
func (g *guarded) manage(server int, path string, value int) string {
	g.t.Helper()
	op := lwm2mtest.Operation{Method: coap.PUT, Path: path, Accept: content.None, Payload: fmt.Append(nil, value)}
	if at, err := dm.ParsePath(path); err == nil && at.Level() == dm.ResourceInstanceLevel {
		op.Method, op.Path, op.Format = coap.POST, at.Up(dm.ResourceLevel).String(), content.SenMLJSON
		op.Payload = fmt.Appendf(nil, `[{"bn":"%s","v":%d}]`, path, value)
	}
	a, err := g.devices[server-1].Do(g.t.Context(), op)
	must(g.t, err)
	return a.Code.String()[:4]
}
