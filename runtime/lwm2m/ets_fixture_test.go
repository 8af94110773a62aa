package lwm2m_test

import (
	"context"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/oscore"
	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// managed is a registered device with the objects that the cases of device management need: /1/0, a
// Device with every resource and two power sources, and /16/0.
type managed struct {
	*bench
	dev       *lwm2mtest.Client
	object    *device.Object
	portfolio *portfolio.Object
	version   registry.Version
	ver       string // what Discover adds to </3>
}

// onManaged runs a case with each of the LwM2M versions that the ids of the cases stand for.
func onManaged(t *testing.T, fn func(m *managed)) {
	t.Helper()
	onVersion(t, registry.V(1, 1), func(*managed) {}, fn)
	onVersion(t, registry.V(1, 2), func(*managed) {}, fn)
}

// onVersion runs a case with one version, on a device that prepare may change before it starts.
func onVersion(t *testing.T, v registry.Version, prepare, fn func(m *managed)) {
	t.Helper()
	t.Run("LwM2M "+v.String(), func(t *testing.T) {
		onBench(t, func(b *bench) {
			m := &managed{bench: b, version: v}
			if v == registry.V(1, 1) {
				m.ver = ";ver=1.2" // LwM2M itself has another version
			}
			b.cfg.MinVersion, b.cfg.MaxVersion = v, v
			b.cfg.Servers[0] = lwm2m.Server{
				URI: "coap://server", Lifetime: 24 * time.Hour, MinPeriod: time.Second, MaxPeriod: 10 * time.Second,
				DropNotifications: true,
				Instance: func(i *lwm2m.ServerInstance) {
					i.DisableTimeout = dm.Int(86400)
					i.SupportedServerVersions = dm.Multi[string]{} // the cases do not have it
					i.MuteSend = dm.Empty[bool]()
				},
			}
			m.object, m.portfolio = etsDevice(t), etsPortfolio(t)
			b.cfg.Objects = []dm.Object{m.object, m.portfolio, etsOSCORE(t), etsCOSE(t)}
			prepare(m)
			b.start()
			m.dev = b.server.WaitRegistered("dev")
			b.seen = len(b.server.Requests())
			for _, id := range []dm.ObjectID{1, 3, 16} {
				if def := b.client.Model().Snapshot().Definition(id); def != nil {
					b.server.Define(def)
				}
			}
			fn(m)
		})
	})
}

// etsInstance returns a Device with the values of the example in Core 1.2.2 §7.4.5, and with every
// other resource.
func etsInstance() device.Instance {
	nothing := func(context.Context, dm.Args) error { return nil }
	return device.Instance{
		Manufacturer: dm.Str("Open Mobile Alliance"), ModelNumber: dm.Str("Lightweight M2M Client"),
		SerialNumber: dm.Str("345000123"), FirmwareVersion: dm.Str("1.0"),
		Reboot: nothing, FactoryReset: nothing, ResetErrorCode: nothing,
		AvailablePowerSources: dm.Ints(1, 5), PowerSourceVoltage: dm.Ints(3800, 5000),
		PowerSourceCurrent: dm.Ints(125, 900),
		BatteryLevel:       dm.Int(100), MemoryFree: dm.Int(15), ErrorCode: dm.Ints(0),
		CurrentTime: dm.Time(time.Unix(1367491215, 0)), UTCOffset: dm.Str("+02:00"), Timezone: dm.Str("Europe/Berlin"),
		SupportedBindingAndModes: dm.Str("U"), DeviceType: dm.Str("thermostat"), HardwareVersion: dm.Str("A3"),
		SoftwareVersion: dm.Str("2.0"), BatteryStatus: dm.Int(0), MemoryTotal: dm.Int(64),
		ExtDevInfo: dm.List(dm.ObjectLink{Object: 16, Instance: 0}),
	}
}

func etsDevice(t testing.TB) *device.Object {
	t.Helper()
	o, err := device.New(device.Config{})
	must(t, err)
	must(t, o.Add(0, etsInstance()))
	return o
}

func etsPortfolio(t *testing.T) *portfolio.Object {
	t.Helper()
	o, err := portfolio.New(portfolio.Config{Template: portfolio.Instance{Identity: dm.EmptyMulti[string]()}})
	must(t, err)
	must(t, o.Add(0, etsPortfolioInstance()))
	return o
}

func etsPortfolioInstance() portfolio.Instance {
	return portfolio.Instance{Identity: dm.List("host", "maker", "model", "soft")}
}

func etsOSCORE(t *testing.T) dm.Object {
	t.Helper()
	o, err := oscore.New(oscore.Config{})
	must(t, err)
	must(t, o.Add(0, oscore.Instance{
		OSCOREMasterSecret: dm.Key([]byte("0123456789abcdef")), OSCORESenderID: dm.Key([]byte("s")),
		OSCORERecipientID: dm.Key([]byte("r")),
	}))
	return o
}

// etsCOSE stands for object 23. It has readable resources, which no server may read.
func etsCOSE(t *testing.T) dm.Object {
	t.Helper()
	def := &registry.Object{
		ID: 23, Version: registry.V(1, 0), Name: "LwM2M COSE", Multiple: true,
		Resources: []registry.Resource{{ID: 0, Name: "Name", Ops: registry.R, Type: registry.String}},
	}
	type instance struct{ name dm.Res[string] }
	cell := func(i *instance, id dm.ResourceID) dm.Cell {
		if id == 0 {
			return &i.name
		}
		return nil
	}
	o, err := dm.NewObject(def, cell, dm.ObjectConfig[instance]{})
	must(t, err)
	must(t, o.Add(0, instance{dm.Str("secret")}))
	return o
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// inHex reports whether these tests write payloads of the format in hexadecimal.
func inHex(f content.Format) bool {
	switch f {
	case content.Text, content.Link, content.SenMLJSON, content.LwM2MJSON, content.None:
		return false
	}
	return true
}

// bytesOf returns the payload that s describes.
func (m *managed) bytesOf(f content.Format, s string) []byte {
	m.t.Helper()
	if !inHex(f) {
		return []byte(s)
	}
	b, err := hex.DecodeString(strings.NewReplacer(" ", "", "\n", "", "\t", "").Replace(s))
	must(m.t, err)
	return b
}

// answers performs an operation and fails unless the response has the code.
func (m *managed) answers(want coap.Code, op lwm2mtest.Operation) lwm2mtest.Answer {
	m.t.Helper()
	a, err := m.dev.Do(context.Background(), op)
	if err != nil || a.Code != want {
		m.t.Errorf("%v %s %v: %v (%v), want %v", op.Method, op.Path, op.Query, a, err, want)
	}
	return a
}

// get reads a node, and fails unless there is a value in the format.
func (m *managed) get(path string, f content.Format) lwm2mtest.Answer {
	m.t.Helper()
	a := m.answers(coap.Content, lwm2mtest.Operation{Method: coap.GET, Path: path, Accept: f, Format: content.None})
	if a.Format != f {
		m.t.Errorf("Read %s: format %v, want %v", path, a.Format, f)
	}
	return a
}

// reads fails unless a Read of the node returns exactly this payload.
func (m *managed) reads(path string, f content.Format, want string) {
	m.t.Helper()
	if a := m.get(path, f); string(a.Payload) != string(m.bytesOf(f, want)) {
		m.t.Errorf("Read %s: %v, want %s", path, a, want)
	}
}

// put replaces a node (PUT), and post updates it (POST). Both fail unless that succeeds.
func (m *managed) put(path string, f content.Format, payload string) {
	m.t.Helper()
	m.write(coap.Changed, coap.PUT, path, f, payload)
}

func (m *managed) post(path string, f content.Format, payload string) {
	m.t.Helper()
	m.write(coap.Changed, coap.POST, path, f, payload)
}

func (m *managed) write(want, method coap.Code, path string, f content.Format, payload string) {
	m.t.Helper()
	m.answers(want, lwm2mtest.Operation{Method: method, Path: path, Accept: content.None, Format: f,
		Payload: m.bytesOf(f, payload)})
}

// attributes writes attributes to a node.
func (m *managed) attributes(path string, set ...string) {
	m.t.Helper()
	m.answers(coap.Changed, lwm2mtest.Operation{Method: coap.PUT, Path: path, Query: set, Accept: content.None,
		Format: content.None})
}

// discovers fails unless Discover returns exactly these links.
func (m *managed) discovers(path, query, want string) {
	m.t.Helper()
	op := lwm2mtest.Operation{Method: coap.GET, Path: path, Accept: content.Link, Format: content.None}
	if query != "" {
		op.Query = []string{query}
	}
	if a := m.answers(coap.Content, op); a.Text() != want || a.Format != content.Link {
		m.t.Errorf("Discover %s?%s\n%s (%v), want\n%s", path, query, a.Text(), a.Format, want)
	}
}

// composite reads several nodes.
func (m *managed) composite(f content.Format, paths ...string) lwm2mtest.Answer {
	m.t.Helper()
	a, err := m.dev.ReadComposite(context.Background(), f, paths...)
	if err != nil || a.Code != coap.Content || a.Format != f {
		m.t.Errorf("Read-Composite %v: %v %v (%v)", paths, a, a.Format, err)
	}
	return a
}

// values returns the values of a response with their paths, in order.
func (m *managed) values(a lwm2mtest.Answer) []string {
	m.t.Helper()
	entries, err := a.Entries()
	if err != nil {
		m.t.Errorf("%v: %v", a, err)
	}
	var list []string
	for _, e := range entries {
		list = append(list, fmt.Sprintf("%v=%v", e.Path, e.Value))
	}
	return list
}

// same fails unless two lists of values are equal.
func (m *managed) same(what string, got, want []string) {
	m.t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		m.t.Errorf("%s (-want +got):\n%s", what, diff)
	}
}

// silent fails if the device has sent requests that no test has checked.
func (m *managed) silent() {
	m.t.Helper()
	synctest.Wait()
	if more := m.server.Requests()[m.seen:]; len(more) > 0 {
		m.t.Errorf("the device sent %v", more)
	}
}
