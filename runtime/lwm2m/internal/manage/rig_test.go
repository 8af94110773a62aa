package manage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/eventlog"
	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/net/socket"
	"github.com/lwm2mgen/toolkit/registry"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/sched"
)

// A rig is a device with its Manager, and servers that reach it over the in-memory network. Both sides
// share one scheduler, which the test runs.
type rig struct {
	t      testing.TB
	s      *sched.Scheduler
	net    *simnet.Network
	device *simnet.Host
	ends   *coap.Endpoint // the device's
	model  *dm.Model
	m      *Manager
	self   *Device // the device itself
	dev    world
	peers  []*remote
	log    strings.Builder
}

// world is what the tests of the objects look at and change.
type world struct {
	servers   *server.Object
	things    *temperature.Object
	portfolio *portfolio.Object
	device    *device.Object
	celsius   float64
	noCelsius error
	looks     int // at celsius
	minimum   func() (float64, error)
	executed  []string
	release   chan struct{} // lets slow functions go on
	image     []byte
	aborted   int
	committed int
	failOpen  error
	failWrite error // after 2000 bytes
	logData   []byte
	logSize   int64 // -1: it is not known before the end
	closed    int   // logs
	more      []dm.Object
	things2   temperature.Hooks
}

// remote is one management server.
type remote struct {
	r    *rig
	id   dm.ShortServerID
	peer *Peer
	conn *coap.Conn // the server's end
	end  *coap.Conn // the device's end
	sock []socket.Socket
	host *simnet.Host
}

// options of a rig.
type setup struct {
	servers int
	version registry.Version
	config  func(*Config)
	device  func(*DeviceConfig)
	peer    func(*PeerConfig)
	persist func(context.Context, dm.Committed) error
	world   func(*world)
	conn    func(*coap.ConnConfig)
}

var device12 = setup{servers: 1, version: registry.V(1, 2)}

func newRig(t testing.TB, o setup) *rig {
	t.Helper()
	r := &rig{t: t, s: sched.New(), net: simnet.New(1)}
	r.device = r.net.NewHost("device")
	r.dev.celsius, r.dev.release = 21.5, make(chan struct{})
	r.dev.minimum = func() (float64, error) { return -3.5, nil }
	r.dev.logData = []byte(strings.Repeat("log line\n", 2000))
	if o.world != nil {
		o.world(&r.dev)
	}
	r.model = r.newModel(o)
	var err error
	if r.ends, err = coap.NewEndpoint(coap.Config{Scheduler: r.s, Seed: [32]byte{1}}); err != nil {
		t.Fatal(err)
	}
	cfg := Config{
		Sched:  r.s,
		Logger: slog.New(slog.NewTextHandler(&r.log, &slog.HandlerOptions{Level: slog.LevelDebug})),
	}
	if o.config != nil {
		o.config(&cfg)
	}
	r.m, err = New(cfg)
	r.must(err)
	device := DeviceConfig{Model: r.model, Hidden: []dm.ObjectID{0, 21, 23}}
	if o.device != nil {
		o.device(&device)
	}
	r.self, err = r.m.AddDevice(device)
	r.must(err)
	for i := range o.servers {
		r.addServer(dm.ShortServerID(i+1), o)
	}
	t.Cleanup(func() {
		r.m.Close()
		for _, p := range r.peers {
			p.conn.Close(nil)
			p.end.Close(nil)
			for _, s := range p.sock {
				_ = s.Close()
			}
		}
		r.s.Run()
	})
	return r
}

func (r *rig) addServer(id dm.ShortServerID, o setup) *remote {
	r.t.Helper()
	p := &remote{r: r, id: id}
	cfg := PeerConfig{ShortServerID: id, Version: o.version}
	if o.peer != nil {
		o.peer(&cfg)
	}
	var err error
	if p.peer, err = r.m.AddPeer(cfg); err != nil {
		r.t.Fatal(err)
	}
	host := r.net.NewHost(fmt.Sprintf("server%d-%d", id, len(r.peers)))
	p.host = host
	p.connect(host, o)
	p.peer.Attach(p.end)
	r.peers = append(r.peers, p)
	return p
}

// connect makes both ends of the connection anew.
func (p *remote) connect(host *simnet.Host, o setup) {
	t := p.r.t
	t.Helper()
	listener, err := host.Listen(0)
	if err != nil {
		t.Fatal(err)
	}
	defer listener.Close()
	dialed, err := p.r.device.Dialer().NewSocket(socket.Config{})
	if err == nil {
		err = dialed.Connect(context.Background(), socket.Endpoint{Host: host.String(), Port: listener.Addr().Port()})
	}
	if err == nil {
		err = dialed.Send([]byte{0})
	}
	if err != nil {
		t.Fatal(err)
	}
	accepted, err := listener.Accept(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	remoteEnd, err := coap.NewEndpoint(coap.Config{Scheduler: p.r.s, Seed: [32]byte{byte(p.id), 2}})
	if err != nil {
		t.Fatal(err)
	}
	dialed.SetRecvDeadline(socket.NoWait())
	accepted.SetRecvDeadline(socket.NoWait())
	cfg := coap.ConnConfig{Socket: dialed, Handler: p.peer}
	if o.conn != nil {
		o.conn(&cfg)
	}
	if p.end, err = p.r.ends.NewConn(cfg); err != nil {
		t.Fatal(err)
	}
	if p.conn, err = remoteEnd.NewConn(coap.ConnConfig{Socket: accepted, MaxBody: 4 << 20, Params: coap.Params{NStart: 16}}); err != nil {
		t.Fatal(err)
	}
	p.sock = append(p.sock, dialed, accepted)
}

// newModel makes the starter objects.
func (r *rig) newModel(o setup) *dm.Model {
	r.t.Helper()
	w := &r.dev
	sec, err := security.New(security.Config{})
	r.must(err)
	r.must(sec.Add(0, security.Instance{
		ServerURI: dm.Str("coap://server1"), BootstrapServer: dm.Bool(false), SecurityMode: dm.Int(0),
		PublicKeyOrIdentity: dm.Key([]byte("identity")), ServerPublicKey: dm.Key(nil), SecretKey: dm.Key([]byte("hunter2")),
		ShortServerID: dm.Int(1),
	}))
	w.servers, err = server.New(server.Config{})
	r.must(err)
	for i := range max(o.servers, 1) {
		r.must(w.servers.Add(dm.InstanceID(i), server.Instance{
			ShortServerID: dm.Int(int64(i + 1)), Lifetime: dm.Int(86400), DefaultMinimumPeriod: dm.Empty[int64](),
			DefaultMaximumPeriod: dm.Empty[int64](), DisableTimeout: dm.Empty[int64](), DefaultNotificationMode: dm.Empty[int64](),
			NotificationStoringWhenDisabledOrOffline: dm.Bool(false), Binding: dm.Str("U"),
			RegistrationUpdateTrigger: func(context.Context, dm.Args) error { return nil },
		}))
	}
	w.device, err = device.New(device.Config{})
	r.must(err)
	r.must(w.device.Add(0, w.deviceInstance()))
	if w.portfolio == nil {
		w.portfolio, err = portfolio.New(portfolio.Config{Template: portfolio.Instance{Identity: dm.EmptyMulti[string]()}})
		r.must(err)
	}
	w.things, err = temperature.New(temperature.Config{Hooks: w.things2, Template: temperature.Instance{
		SensorValue: dm.Float(0), ApplicationType: dm.Empty[string](),
	}})
	r.must(err)
	r.must(w.things.Add(0, temperature.Instance{
		SensorValue: dm.Func(func(context.Context) (float64, error) { w.looks++; return w.celsius, w.noCelsius }),
		SensorUnits: dm.Str("Cel"), ApplicationType: dm.Str("boiler"),
		MinMeasuredValue: dm.Slow(func(context.Context) (float64, error) { <-w.release; return w.minimum() }),
		ResetMinAndMaxMeasuredValues: dm.SlowExec(func(context.Context, dm.Args) error {
			<-w.release
			return nil
		}),
	}))
	r.must(w.things.Add(1, temperature.Instance{SensorValue: dm.Float(4.25), ApplicationType: dm.Str("fridge")}))
	fw, err := firmwareupdate.New(firmwareupdate.Config{})
	r.must(err)
	r.must(fw.Add(0, w.firmware()))
	log, err := eventlog.New(eventlog.Config{})
	r.must(err)
	r.must(log.Add(0, eventlog.Instance{LogData: dm.SourceFunc(func(context.Context) (dm.Source, error) {
		return &logSource{memSource{bytes.NewReader(w.logData)}, w}, nil
	})}))
	objects := append([]dm.Object{sec, w.servers, w.device, w.portfolio, w.things, fw, log}, w.more...)
	model, err := dm.NewModel(dm.ModelConfig{Persist: o.persist}, objects...)
	r.must(err)
	return model
}

func (w *world) deviceInstance() device.Instance {
	return device.Instance{
		Manufacturer: dm.Str("Acme"), ModelNumber: dm.Str("M1"), SerialNumber: dm.Str("0815"), FirmwareVersion: dm.Str("1.0"),
		Reboot: func(ctx context.Context, a dm.Args) error {
			w.executed = append(w.executed, fmt.Sprintf("%s:%s", a.Origin, a.Append(nil)))
			if v, _ := a.Get(9); v == "fail" {
				return errors.New("internal detail hunter2")
			}
			return nil
		},
		AvailablePowerSources: dm.List[int64](1, 5), PowerSourceVoltage: dm.List[int64](3800, 5000),
		PowerSourceCurrent: dm.List[int64](125, 900), BatteryLevel: dm.Int(100), MemoryFree: dm.Int(15),
		ErrorCode: dm.List[int64](0), CurrentTime: dm.Time(time.Unix(1367491215, 0)), UTCOffset: dm.Str("+02:00"),
		Timezone: dm.Empty[string](), SupportedBindingAndModes: dm.Str("U"),
	}
}

func (w *world) firmware() firmwareupdate.Instance {
	return firmwareupdate.Instance{
		Package: dm.SinkFunc(func(context.Context) (dm.Sink, error) {
			if w.failOpen != nil {
				return nil, w.failOpen
			}
			return &imageSink{w: w}, nil
		}),
		PackageURI: dm.Str(""), Update: func(context.Context, dm.Args) error { return nil },
		State: dm.Int(0), UpdateResult: dm.Int(0), FirmwareUpdateDeliveryMethod: dm.Int(1),
	}
}

// memSource is a stream that can only be read forwards.
type memSource struct {
	r interface {
		Read([]byte) (int, error)
		Size() int64
	}
}

func (m *memSource) Read(p []byte) (int, error) { return m.r.Read(p) }
func (m *memSource) Size() int64                { return m.r.Size() }
func (m *memSource) Close() error               { return nil }

// logSource is the log.
type logSource struct {
	memSource
	w *world
}

func (l *logSource) Size() int64 {
	if l.w.logSize < 0 {
		return l.w.logSize
	}
	return l.memSource.Size()
}
func (l *logSource) Close() error { l.w.closed++; return nil }

// imageSink keeps an image when it is committed.
type imageSink struct {
	w    *world
	data []byte
}

func (s *imageSink) Write(b []byte) (int, error) {
	if s.w.failWrite != nil && len(s.data) > 2000 {
		return 0, s.w.failWrite
	}
	s.data = append(s.data, b...)
	return len(b), nil
}
func (s *imageSink) Commit(context.Context) error { s.w.image = s.data; s.w.committed++; return nil }
func (s *imageSink) Abort()                       { s.w.aborted++ }

func (r *rig) must(err error) {
	r.t.Helper()
	if err != nil {
		r.t.Fatal(err)
	}
}

// reply is what a request was answered with.
type reply struct {
	code    coap.Code
	options coap.Options
	body    string
	err     error
}

func (a *reply) format() content.Format {
	if f, ok := a.options.ContentFormat(); ok {
		return content.Format(f)
	}
	return content.None
}

// ask describes a request in a line: "GET /3/0?depth=1".
type ask struct {
	method coap.Code
	target string
	format content.Format // None: not said
	accept content.Format // None: not said
	body   string
	more   func(*coap.Options)
}

var methods = map[string]coap.Code{"GET": coap.GET, "PUT": coap.PUT, "POST": coap.POST, "DELETE": coap.DELETE,
	"FETCH": coap.FETCH, "IPATCH": coap.IPATCH, "PATCH": coap.PATCH}

// to makes an ask of "METHOD /path?query&query".
func to(line string) ask {
	method, target, _ := strings.Cut(line, " ")
	return ask{method: methods[method], target: target, format: content.None, accept: content.None}
}

func (a ask) as(f content.Format, body string) ask { a.format, a.body = f, body; return a }
func (a ask) accepting(f content.Format) ask       { a.accept = f; return a }
func (a ask) with(more func(*coap.Options)) ask    { a.more = more; return a }

func (a ask) call() *coap.Call {
	c := &coap.Call{Code: a.method, Body: []byte(a.body)}
	path, query, ok := strings.Cut(a.target, "?")
	c.Options.AddPath(path)
	if ok {
		for _, q := range strings.Split(query, "&") {
			c.Options.AddQuery(q)
		}
	}
	if a.format != content.None {
		c.Options.SetContentFormat(uint16(a.format))
	}
	if a.accept != content.None {
		c.Options.SetAccept(uint16(a.accept))
	}
	if a.more != nil {
		a.more(&c.Options)
	}
	return c
}

// begin sends a request; the reply is filled in when it comes.
func (p *remote) begin(a ask) (*reply, *bool) {
	p.r.t.Helper()
	got, done := &reply{}, new(bool)
	c := a.call()
	c.Done = func(res coap.Result) {
		*done = true
		got.code, got.err, got.body = res.Code, res.Err, string(res.Body)
		if res.Options != nil {
			got.options = res.Options.Clone()
		}
	}
	if err := p.conn.Do(c); err != nil {
		p.r.t.Fatal(err)
	}
	return got, done
}

// do sends a request and waits for the reply.
func (p *remote) do(a ask) reply {
	p.r.t.Helper()
	got, done := p.begin(a)
	p.r.until(func() bool { return *done })
	if got.err != nil {
		p.r.t.Fatalf("%v %s: %v", a.method, a.target, got.err)
	}
	return *got
}

// watch begins an observation; notifications are appended to the list.
func (p *remote) watch(a ask) (first reply, notes *[]reply, c *coap.Call) {
	p.r.t.Helper()
	notes = &[]reply{}
	done := false
	c = a.call()
	c.Done = func(res coap.Result) {
		done = true
		first = reply{code: res.Code, body: string(res.Body), err: res.Err}
		if res.Options != nil {
			first.options = res.Options.Clone()
		}
	}
	c.Observe = func(res coap.Result) {
		*notes = append(*notes, reply{code: res.Code, body: string(res.Body), err: res.Err})
	}
	if err := p.conn.Do(c); err != nil {
		p.r.t.Fatal(err)
	}
	p.r.until(func() bool { return done })
	return first, notes, c
}

// turn handles what is there: one round of all connections and the scheduler.
func (r *rig) turn() int {
	n := 0
	for _, p := range r.peers {
		for _, c := range []*coap.Conn{p.end, p.conn} {
			if c.Closed() != nil {
				continue
			}
			got, err := c.Receive(100)
			if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, socket.ErrRefused) {
				r.t.Fatal(err)
			}
			n += got
		}
	}
	return n + r.s.Run()
}

// until runs everything until a condition holds, at most an hour.
func (r *rig) until(cond func() bool) {
	r.t.Helper()
	limit := r.s.Now().Add(time.Hour)
	for !cond() {
		if r.turn() > 0 {
			continue
		}
		if r.s.Now() > limit {
			r.t.Fatal("nothing more happens")
		}
		_ = r.s.Sleep(context.Background(), time.Minute)
	}
}

// pass lets time pass.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	end := r.s.Now().Add(d)
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
