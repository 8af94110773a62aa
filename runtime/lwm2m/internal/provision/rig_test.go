package provision

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/accesscontrol"
	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/generated/oscore"
	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/objects/security"
	"github.com/lwm2mgen/toolkit/runtime/objects/server"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A rig is a device in a bootstrap sequence, and the bootstrap server, which reaches the device
// over the in-memory network. Both ends share one scheduler, which the test runs. The device has
// the account of the bootstrap server under /0/0, with /21/0, and that of server 1 under /0/1 and
// /1/0.
type rig struct {
	t     testing.TB
	s     *sched.Scheduler
	model *dm.Model
	seq   *Sequence
	conn  *coap.Conn // the server's end
	end   *coap.Conn // the device's end
	sock  []socket.Socket
	log   bytes.Buffer

	security *security.Object
	servers  *server.Object
	things   *temperature.Object
	image    []byte // that the firmware's Sink has been told to commit
	aborted  int    // Sinks

	requests, finished int
	failed             error
	persisted          []string
}

// setup holds the options of a rig.
type setup struct {
	config  func(*Config)
	persist func(context.Context, dm.Committed) error
	hooks   temperature.Hooks
	fault   func(where string)                         // called by user code, where it is set
	removal func(context.Context, dm.InstanceID) error // the Delete hook of the Security object
	pinned  bool                                       // the Portfolio object has no template
}

func (o *setup) at(where string) {
	if o.fault != nil {
		o.fault(where)
	}
}

// implied returns the versions of the objects of LwM2M 1.2.
func implied(id dm.ObjectID, _ registry.Version) registry.Version {
	switch id {
	case 0, 1, 3, 5:
		return registry.V(1, 2)
	case 2:
		return registry.V(1, 1)
	}
	return registry.V(1, 0)
}

const bootKey, serverKey = "bootstrap hunter2", "server hunter2"

func newRig(t testing.TB, o setup) *rig {
	t.Helper()
	r := &rig{t: t, s: sched.New()}
	r.model = r.newModel(&o)
	cfg := Config{
		Sched: r.s, Model: r.model, Logger: r.logger(), Version: registry.V(1, 2), ImpliedVersion: implied,
		OnRequest: func() { r.requests++ }, OnFinished: func() { r.finished++ }, OnFailed: func(err error) { r.failed = err },
	}
	if o.config != nil {
		o.config(&cfg)
	}
	var err error
	r.seq, err = New(cfg)
	r.must(err)
	r.connect()
	t.Cleanup(func() {
		r.seq.Abort()
		r.conn.Close(nil)
		r.end.Close(nil)
		for _, s := range r.sock {
			_ = s.Close()
		}
		r.s.Run()
	})
	return r
}

func (r *rig) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// newModel makes the objects of the device.
func (r *rig) newModel(o *setup) *dm.Model {
	r.t.Helper()
	var err error
	r.security, err = security.New(security.Config{Hooks: security.Hooks{Delete: o.removal}})
	r.must(err)
	account := func(uri string, bootstrap bool, short dm.Res[int64], key string) security.Instance {
		i := security.Template()
		i.ServerURI, i.BootstrapServer, i.SecurityMode = dm.Str(uri), dm.Bool(bootstrap), dm.Int(0)
		i.PublicKeyOrIdentity, i.SecretKey = dm.Key([]byte("me")), dm.Key([]byte(key))
		i.ShortServerID = short
		return i
	}
	boss := account("coaps://boss", true, dm.Empty[int64](), bootKey)
	boss.OSCORESecurityMode = dm.Link(dm.ObjectLink{Object: 21, Instance: 0})
	r.must(r.security.Add(0, boss))
	r.must(r.security.Add(1, account("coaps://server1", false, dm.Int(1), serverKey)))
	r.servers, err = server.New(server.Config{})
	r.must(err)
	one := server.Template()
	one.ShortServerID, one.Lifetime, one.Binding = dm.Int(1), dm.Int(86400), dm.Str("U")
	one.NotificationStoringWhenDisabledOrOffline = dm.Bool(true)
	r.must(r.servers.Add(0, one))
	access, err := accesscontrol.New(accesscontrol.Config{Template: accesscontrol.Instance{ACL: dm.EmptyMulti[int64]()}})
	r.must(err)
	keys, err := oscore.New(oscore.Config{Template: oscore.Instance{OSCOREMasterSalt: dm.Empty[dm.Secret]()}})
	r.must(err)
	for i := range 2 {
		r.must(keys.Add(dm.InstanceID(i), oscore.Instance{
			OSCOREMasterSecret: dm.Key([]byte("master")), OSCORESenderID: dm.Key([]byte("s")), OSCORERecipientID: dm.Key([]byte("r")),
		}))
	}
	dev, err := device.New(device.Config{})
	r.must(err)
	r.must(dev.Add(0, device.Instance{
		Manufacturer: dm.Str("Acme"), Reboot: func(context.Context, dm.Args) error { return nil }, UTCOffset: dm.Str("+01:00"),
		SupportedBindingAndModes: dm.Str("U"), ErrorCode: dm.Ints(0),
	}))
	fw, err := firmwareupdate.New(firmwareupdate.Config{})
	r.must(err)
	r.must(fw.Add(0, firmwareupdate.Instance{
		Package:    dm.SinkFunc(func(context.Context) (dm.Sink, error) { o.at("open"); return &sink{r: r, o: o}, nil }),
		PackageURI: dm.Str(""), Update: func(context.Context, dm.Args) error { return nil }, State: dm.Int(0),
		UpdateResult: dm.Int(0), FirmwareUpdateDeliveryMethod: dm.Int(2),
	}))
	r.things, err = temperature.New(temperature.Config{Hooks: o.hooks, Template: temperature.Instance{
		SensorValue: dm.Float(0), ApplicationType: dm.Empty[string](),
	}})
	r.must(err)
	r.must(r.things.Add(0, temperature.Instance{SensorValue: dm.Float(21.5), ApplicationType: dm.Str("boiler")}))
	var folder portfolio.Config
	if !o.pinned {
		folder.Template = portfolio.Instance{Identity: dm.EmptyMulti[string]()}
	}
	papers, err := portfolio.New(folder)
	r.must(err)
	r.must(papers.Add(0, portfolio.Instance{Identity: dm.Strs("one", "two")}))
	model, err := dm.NewModel(dm.ModelConfig{Logger: r.logger(), Persist: func(ctx context.Context, c dm.Committed) error {
		o.at("Persist")
		if o.persist != nil {
			if err := o.persist(ctx, c); err != nil {
				return err
			}
		}
		r.persisted = append(r.persisted, fmt.Sprint(c.Origin))
		return nil
	}}, r.security, r.servers, access, keys, dev, fw, r.things, papers)
	r.must(err)
	return model
}

// sink takes a firmware image.
type sink struct {
	r *rig
	o *setup
	b []byte
}

func (s *sink) Write(b []byte) (int, error) {
	s.o.at("write")
	s.b = append(s.b, b...)
	return len(b), nil
}

func (s *sink) Commit(context.Context) error {
	s.o.at("commit")
	s.r.image = s.b
	return nil
}

func (s *sink) Abort() { s.r.aborted++ }

// connect makes both ends of the connection.
func (r *rig) connect() {
	t := r.t
	t.Helper()
	net := simnet.New(1)
	host := net.NewHost("boss")
	listener, err := host.Listen(0)
	r.must(err)
	defer listener.Close()
	dialed, err := net.NewHost("device").Dialer().NewSocket(socket.Config{})
	r.must(err)
	r.must(dialed.Connect(context.Background(), socket.Endpoint{Host: host.String(), Port: listener.Addr().Port()}))
	r.must(dialed.Send([]byte{0}))
	accepted, err := listener.Accept(context.Background())
	r.must(err)
	dialed.SetRecvDeadline(socket.NoWait())
	accepted.SetRecvDeadline(socket.NoWait())
	ends := [2]*coap.Endpoint{}
	for i := range ends {
		ends[i], err = coap.NewEndpoint(coap.Config{Scheduler: r.s, Seed: [32]byte{byte(i + 1)}})
		r.must(err)
	}
	r.end, err = ends[0].NewConn(coap.ConnConfig{Socket: dialed, Handler: r.seq})
	r.must(err)
	r.conn, err = ends[1].NewConn(coap.ConnConfig{Socket: accepted, MaxBody: 4 << 20, Params: coap.Params{NStart: 32}})
	r.must(err)
	r.sock = []socket.Socket{dialed, accepted}
}

// turn handles what has arrived: one round of both ends and the scheduler.
func (r *rig) turn() int {
	n := 0
	for _, c := range []*coap.Conn{r.end, r.conn} {
		if c.Closed() != nil {
			continue
		}
		got, err := c.Receive(100)
		if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, socket.ErrRefused) {
			r.t.Fatal(err)
		}
		n += got
	}
	return n + r.s.Run()
}

// until runs both ends until a condition holds, for at most an hour.
func (r *rig) until(cond func() bool) {
	r.t.Helper()
	limit := r.s.Now().Add(time.Hour)
	for !cond() {
		if r.turn() > 0 {
			continue
		}
		if r.s.Now() > limit {
			r.t.Fatal("the condition does not hold within an hour")
		}
		_ = r.s.Sleep(context.Background(), time.Minute)
	}
}

// settle runs both ends for a second.
func (r *rig) settle() {
	end := r.s.Now().Add(time.Second)
	for {
		for r.turn() > 0 {
		}
		left := end.Sub(r.s.Now())
		if left <= 0 {
			return
		}
		_ = r.s.Sleep(context.Background(), left)
	}
}

// ask describes a request in a line: "GET /1".
type ask struct {
	line   string
	format content.Format // None: no option
	accept content.Format // None: no option
	body   string
}

func to(line string) ask { return ask{line: line, format: content.None, accept: content.None} }

func (a ask) as(f content.Format, body string) ask { a.format, a.body = f, body; return a }

func (a ask) accepting(f content.Format) ask { a.accept = f; return a }

// put is a Bootstrap-Write in SenML JSON.
func put(path, body string) ask { return to("PUT "+path).as(content.SenMLJSON, body) }

// links is a Bootstrap-Discover.
func links(path string) ask { return to("GET " + path).accepting(content.Link) }

var methods = map[string]coap.Code{"GET": coap.GET, "PUT": coap.PUT, "POST": coap.POST, "DELETE": coap.DELETE,
	"FETCH": coap.FETCH, "IPATCH": coap.IPATCH}

func (a ask) call() *coap.Call {
	method, path, _ := strings.Cut(a.line, " ")
	c := &coap.Call{Code: methods[method], Body: []byte(a.body)}
	c.Options.AddPath(path)
	if a.format != content.None {
		c.Options.SetContentFormat(uint16(a.format))
	}
	if a.accept != content.None {
		c.Options.SetAccept(uint16(a.accept))
	}
	return c
}

// reply is the answer to a request.
type reply struct {
	code   coap.Code
	format content.Format
	body   string
	err    error
	done   bool
}

func (a *reply) String() string { return strings.TrimSpace(a.code.String() + " " + a.body) }

// begin sends a request. The reply is filled in when the answer arrives.
func (r *rig) begin(a ask) *reply {
	r.t.Helper()
	got := &reply{format: content.None}
	c := a.call()
	c.Done = func(res coap.Result) {
		got.done, got.code, got.err, got.body = true, res.Code, res.Err, string(res.Body)
		if res.Options != nil {
			if f, ok := res.Options.ContentFormat(); ok {
				got.format = content.Format(f)
			}
		}
	}
	r.must(r.conn.Do(c))
	return got
}

// do sends a request and waits for the reply.
func (r *rig) do(a ask) *reply {
	r.t.Helper()
	got := r.begin(a)
	r.until(func() bool { return got.done })
	if got.err != nil {
		r.t.Fatalf("%s: %v", a.line, got.err)
	}
	return got
}

// want sends a request and checks the code of the reply.
func (r *rig) want(code coap.Code, a ask) *reply {
	r.t.Helper()
	got := r.do(a)
	if got.code != code {
		r.t.Errorf("%s: %v, want %v", a.line, got, code)
	}
	return got
}

// dump returns everything that a model stores, secrets included, a line each.
func dump(t testing.TB, s dm.Snapshot) string {
	t.Helper()
	var b strings.Builder
	for id := range s.Objects() {
		fmt.Fprintln(&b, dm.ObjectPath(id))
		for i := range s.Instances(id) {
			fmt.Fprintln(&b, dm.InstancePath(id, i))
		}
		if err := s.Stored(dm.ObjectPath(id), func(p dm.Path, v dm.Value) error {
			if v.IsSecret() {
				fmt.Fprintf(&b, "%v %q\n", p, v.Opaque())
			} else {
				fmt.Fprintf(&b, "%v %v\n", p, v)
			}
			return nil
		}); err != nil {
			t.Fatal(err)
		}
	}
	return b.String()
}

func (r *rig) dump() string { return dump(r.t, r.model.Snapshot()) }

// The payloads of an account of server 2.
const (
	security2 = `[{"bn":"/0/2/","n":"0","vs":"coaps://server2"},{"n":"1","vb":false},{"n":"2","v":3},{"n":"10","v":2}]`
	server2   = `[{"bn":"/1/2/","n":"0","v":2},{"n":"1","v":300},{"n":"6","vb":true},{"n":"7","vs":"U"}]`
)

// inRig runs a test with a rig in virtual time.
func inRig(t *testing.T, o setup, run func(t *testing.T, r *rig)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { run(t, newRig(t, o)) })
}
