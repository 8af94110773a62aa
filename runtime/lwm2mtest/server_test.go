package lwm2mtest_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/net/tcp"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
)

// thermometer is a device with objects 3 and 3303.
type thermometer struct {
	temp   *temperature.Object
	resets chan dm.Args
}

// start runs a thermometer that registers at s until the test ends.
func start(t *testing.T, s *lwm2mtest.Server) *thermometer {
	t.Helper()
	dev, err := device.New(device.Config{})
	if err != nil {
		t.Fatal(err)
	}
	temp, err := temperature.New(temperature.Config{
		Template: temperature.Instance{ApplicationType: dm.Empty[string]()},
	})
	if err != nil {
		t.Fatal(err)
	}
	th := &thermometer{temp, make(chan dm.Args, 1)}
	reboot := func(context.Context, dm.Args) error { return nil }
	err = errors.Join(
		dev.Add(0, device.Instance{
			Reboot: reboot, ErrorCode: dm.List[int64](0), SupportedBindingAndModes: dm.Str("U"),
			Manufacturer: dm.Str("Example"),
		}),
		temp.Add(0, temperature.Instance{
			SensorValue: dm.Float(21.5), SensorUnits: dm.Str("Cel"), ApplicationType: dm.Str("boiler"),
			ResetMinAndMaxMeasuredValues: func(_ context.Context, a dm.Args) error { th.resets <- a; return nil },
		}),
	)
	if err != nil {
		t.Fatal(err)
	}
	c, err := lwm2m.New(lwm2m.Config{
		Endpoint: "thermometer", Objects: []dm.Object{dev, temp},
		Servers: []lwm2m.Server{{URI: s.URI(), Lifetime: time.Hour}},
		Logger:  slog.New(slog.NewTextHandler(io.Discard, nil)),
		// No test checks the de-registration, and a closed server does not answer it.
		ShutdownTimeout: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	s.Run(c.Run)
	return th
}

func TestOperations(t *testing.T) {
	t.Run("UDP", func(t *testing.T) {
		s := lwm2mtest.NewServer(t)
		exercise(t, s)
	})
	t.Run("TCP", func(t *testing.T) {
		l, err := tcp.Listen(netip.MustParseAddrPort("127.0.0.1:0"))
		if err != nil {
			t.Fatal(err)
		}
		s := lwm2mtest.NewServer(t, l)
		exercise(t, s)
	})
}

func exercise(t *testing.T, s *lwm2mtest.Server) {
	th := start(t, s)
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	dev := s.WaitRegistered("thermometer")
	r := dev.Registration()
	if r.Lifetime != time.Hour || !r.Objects.Has(dm.InstancePath(3303, 0)) || r.Objects.Has(dm.ObjectPath(0)) {
		t.Errorf("registration is %+v", r)
	}
	ok := func(what string, want coap.Code) func(a lwm2mtest.Answer, err error) lwm2mtest.Answer {
		return func(a lwm2mtest.Answer, err error) lwm2mtest.Answer {
			t.Helper()
			if err != nil || a.Code != want {
				t.Fatalf("%s: %v, %v, want %v", what, a, err, want)
			}
			return a
		}
	}

	formats := []content.Format{
		content.Text, content.CBOR, content.SenMLJSON, content.SenMLCBOR, content.TLV, content.LwM2MCBOR,
	}
	for _, f := range formats {
		s.Define(th.temp.Definition())
		a := ok("Read in "+f.String(), coap.Content)(dev.Read(ctx, "/3303/0/5700", f))
		if v, err := a.Value("/3303/0/5700"); err != nil || v.Float() != 21.5 {
			t.Errorf("Read in %v: %v, %v", f, v, err)
		}
		if a.Location != "" {
			t.Errorf("a Read has the location %q", a.Location)
		}
	}
	ok("Discover", coap.Content)(dev.Discover(ctx, "/3303"))
	ok("Write", coap.Changed)(dev.Write(ctx, "/3303/0/5750", content.Text, []byte("fridge")))
	if inst, _ := th.temp.Get(0); inst.ApplicationType.Or("") != "fridge" {
		t.Errorf("after Write: %v", inst.ApplicationType)
	}
	ok("Write to a read-only resource", coap.MethodNotAllowed)(dev.Write(ctx, "/3303/0/5700", content.Text, []byte("1")))
	ok("Write-Attributes", coap.Changed)(dev.WriteAttributes(ctx, "/3303/0/5700", "pmin=1", "pmax=60"))
	ok("Execute", coap.Changed)(dev.Execute(ctx, "/3303/0/5605", "0='5'"))
	if v, _ := (<-th.resets).Get(0); v != "5" {
		t.Errorf("argument 0 is %q", v)
	}
	payload, err := lwm2mtest.Encode(content.SenMLCBOR, "/3303", lwm2mtest.Value("/3303/7/5700", dm.FloatValue(3)))
	if err != nil {
		t.Fatal(err)
	}
	ok("Create without a mandatory value", coap.BadRequest)(dev.Create(ctx, "/3303", content.SenMLCBOR, payload))
	a := ok("Read-Composite", coap.Content)(dev.ReadComposite(ctx, content.SenMLCBOR, "/3303/0/5700", "/3/0/0"))
	if v, err := a.Value("/3/0/0"); err != nil || v.Text() != "Example" {
		t.Errorf("Read-Composite: %v, %v", v, err)
	}
	oven := lwm2mtest.Value("/3303/0/5750", dm.StringValue("oven"))
	ok("Write-Composite", coap.Changed)(dev.WriteComposite(ctx, content.SenMLCBOR, oven))
	observe(t, ctx, dev, th)
}

func observe(t *testing.T, ctx context.Context, dev *lwm2mtest.Client, th *thermometer) {
	t.Helper()
	o, a, err := dev.Observe(ctx, "/3303/0/5750", content.Text)
	if err != nil || o == nil || a.Text() != "oven" {
		t.Fatalf("Observe: %v, %v", a, err)
	}
	err = th.temp.Update(ctx, 0, func(i *temperature.Instance) error {
		i.ApplicationType.Set("cellar")
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if a, err := o.Next(ctx); err != nil || a.Text() != "cellar" {
		t.Errorf("notification: %v, %v", a, err)
	}
	if a, err := o.Cancel(ctx); err != nil || a.Code != coap.Content {
		t.Errorf("Cancel: %v, %v", a, err)
	}
	checkEnded(t, o)
	if o, _, err = dev.Observe(ctx, "/3303/0/5750", content.Text); err != nil || o == nil {
		t.Fatalf("second Observe: %v", err)
	}
	o.Forget()
	checkEnded(t, o)
}

// checkEnded fails the test unless an observation has ended.
func checkEnded(t *testing.T, o *lwm2mtest.Observation) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), 5*time.Second)
	defer stop()
	if a, err := o.Next(ctx); !errors.Is(err, lwm2mtest.ErrEnded) {
		t.Errorf("Next after the end: %v, %v", a, err)
	}
	if a, err := o.Cancel(ctx); !errors.Is(err, lwm2mtest.ErrEnded) {
		t.Errorf("Cancel after the end: %v, %v", a, err)
	}
}

// A mistake of a test fails the test with a message and never blocks it.
func TestMisuseNeverBlocks(t *testing.T) {
	s := lwm2mtest.NewServer(failing{t})
	start(t, s)
	dev := s.WaitRegistered("thermometer")
	o, a, err := dev.Observe(t.Context(), "/3303/0/9999", content.None)
	if err != nil || a.Code != coap.NotFound {
		t.Errorf("Observe of an unsupported resource: %v, %v", a, err)
	}
	if _, err := o.Next(t.Context()); !errors.Is(err, lwm2mtest.ErrEnded) {
		t.Errorf("Next after a refused Observe: %v", err)
	}
	if _, err := o.Cancel(t.Context()); !errors.Is(err, lwm2mtest.ErrEnded) {
		t.Errorf("Cancel after a refused Observe: %v", err)
	}
	o.Forget()
	if r, next := s.WaitRequest(-1, nil); r.Path != "/rd" || next != 1 {
		t.Errorf("the first request: %v, %d", r, next)
	}
	e, next := s.WaitEvent(-1, lwm2mtest.Registered, "thermometer")
	if e.Registration.Endpoint != "thermometer" || next != 1 {
		t.Errorf("the first event: %v, %d", e, next)
	}
	func() {
		defer func() { _ = recover() }()
		s.WaitRequest(0, func(lwm2mtest.Request) bool { panic("a fault of the test") })
	}()
	if got := s.Endpoints(); len(got) != 1 { // the lock is free
		t.Errorf("registered are %v", got)
	}
	s.Close()
	func() {
		defer func() {
			if r := recover(); r != "Fatalf" {
				t.Errorf("a missing request: %v", r)
			}
		}()
		s.WaitRequest(99, nil)
	}()
}

// failing is a test that expects Fatalf.
type failing struct{ *testing.T }

func (failing) Fatalf(string, ...any) { panic("Fatalf") }

func TestInterceptedRequestMakesNoEvent(t *testing.T) {
	s := lwm2mtest.NewServer(t)
	s.Intercept(func(r lwm2mtest.Request) (lwm2mtest.Reply, bool) {
		return lwm2mtest.Reply{Code: coap.Forbidden}, r.Path == "/rd"
	})
	start(t, s)
	r, next := s.WaitRequest(0, func(r lwm2mtest.Request) bool { return r.Path == "/rd" })
	if r.Method != coap.POST || len(s.Endpoints()) != 0 {
		t.Errorf("%v, registered are %v", r, s.Endpoints())
	}
	if next != 1 || len(s.Events()) != 0 {
		t.Errorf("next is %d, events are %v", next, s.Events())
	}
}
