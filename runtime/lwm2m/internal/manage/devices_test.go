package manage

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// mounted is a second device behind the rig's: a thermometer.
type mounted struct {
	*Device
	model   *dm.Model
	things  *temperature.Object
	celsius float64
	resets  int
}

// mount adds a device with a prefix.
func (r *rig) mount(prefix string) *mounted {
	r.t.Helper()
	d := &mounted{celsius: -7}
	var err error
	d.things, err = temperature.New(temperature.Config{})
	r.must(err)
	r.must(d.things.Add(0, temperature.Instance{
		SensorValue:                  dm.Func(func(context.Context) (float64, error) { return d.celsius, nil }),
		ApplicationType:              dm.Str(prefix),
		ResetMinAndMaxMeasuredValues: func(context.Context, dm.Args) error { d.resets++; return nil },
		MinMeasuredValue: dm.Slow(func(context.Context) (float64, error) {
			<-r.dev.release
			return -40, nil
		}),
	}))
	bag, err := portfolio.New(portfolio.Config{Template: portfolio.Instance{Identity: dm.EmptyMulti[string]()}})
	r.must(err)
	d.model, err = dm.NewModel(dm.ModelConfig{}, d.things, bag)
	r.must(err)
	d.Device, err = r.m.AddDevice(DeviceConfig{Prefix: prefix, Model: d.model, Hidden: []dm.ObjectID{7}})
	r.must(err)
	return d
}

// relabel changes a stored resource as the application of the device.
func (d *mounted) relabel(ctx context.Context, label string) error {
	return d.things.Update(ctx, 0, func(i *temperature.Instance) error {
		i.ApplicationType.Set(label)
		return nil
	})
}

// Every operation reaches a device under its prefix, and the device itself without one.
func TestOperationsOnSeveralDevices(t *testing.T) {
	for _, root := range []string{"", "/lwm2m"} {
		t.Run("under "+root+"/", func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				o := device12
				o.peer = func(c *PeerConfig) { c.Root = root }
				r := newRig(t, o)
				close(r.dev.release)
				d := r.mount("dev0")
				at := func(line string) ask {
					method, path, _ := strings.Cut(line, " ")
					return to(method + " " + root + path)
				}
				const json, text, links = content.SenMLJSON, content.Text, content.Link
				r.peers[0].run([]step{
					{at("GET /3303/0/5700").accepting(text), coap.Content, "21.5"},
					{at("GET /dev0/3303/0/5700").accepting(text), coap.Content, "-7"},
					{at("GET /dev0/3303/0").accepting(json), coap.Content,
						`[{"bn":"` + root + `/dev0/3303/0/","n":"5601","v":-40},{"n":"5700","v":-7},{"n":"5750","vs":"dev0"}]`},
					{at("GET /dev0/3/0/0"), coap.NotFound, "/3/0/0"},
					{at("GET /dev0/7"), coap.Unauthorized, ""},
					{at("GET /dev1/3303/0/5700"), coap.NotFound, ""},
					{at("GET /dev0/dev0/3303/0/5700"), coap.NotFound, ""},
					{at("GET /3303/dev0/0/5700"), coap.NotFound, ""},
					{at("GET /dev0"), coap.MethodNotAllowed, ""},
					{at("GET /dev0/3303").accepting(links), coap.Content,
						"<" + root + "/dev0/3303>;ver=1.1,<" + root + "/dev0/3303/0>,<" + root + "/dev0/3303/0/5601>,<" + root + "/dev0/3303/0/5605>,<" +
							root + "/dev0/3303/0/5700>,<" + root + "/dev0/3303/0/5750>"},
					{at("PUT /dev0/3303/0/5750").as(text, "roof"), coap.Changed, ""},
					{at("PUT /dev0/3303/0/5750").as(json, `[{"n":"/dev0/3303/0/5750","vs":"attic"}]`), coap.Changed,
						""},
					{at("PUT /dev0/3303/0/5750").as(json, `[{"n":"/3303/0/5750","vs":"wrong"}]`), coap.BadRequest, ""},
					{at("PUT /3303/0/5750").as(json, `[{"n":"/dev0/3303/0/5750","vs":"wrong"}]`), coap.BadRequest, ""},
					{at("GET /dev0/3303/0/5750").accepting(text), coap.Content, "attic"},
					{at("GET /3303/0/5750").accepting(text), coap.Content, "boiler"},
					{at("PUT /dev0/3303/0/5700?pmin=5&gt=3"), coap.Changed, ""},
					{at("GET /dev0/3303/0/5700").accepting(links), coap.Content,
						"<" + root + "/dev0/3303/0/5700>;pmin=5;gt=3"},
					{at("GET /3303/0/5700").accepting(links), coap.Content, "<" + root + "/3303/0/5700>"},
					{at("POST /dev0/3303/0/5605"), coap.Changed, ""},
					{at("POST /dev0/16").as(json, `[{"n":"/dev0/16/3/0/0","vs":"x"}]`), coap.Created, ""},
					{at("GET /dev0/16/3/0/0").accepting(text), coap.Content, "x"},
					{at("GET /16/3/0/0"), coap.NotFound, ""},
					{at("DELETE /dev0/16/3"), coap.Deleted, ""},
				})
				if d.resets != 1 {
					t.Errorf("Execute ran %d times", d.resets)
				}
				got := r.peers[0].do(at("POST /dev0/16"))
				if path := string(got.options.AppendLocationPath(nil)); got.code != coap.Created ||
					path != root+"/dev0/16/0" {
					t.Errorf("Create is answered %v at %s", got.code, path)
				}
			})
		})
	}
}

// Observations of the same path on two devices are notified each of its own changes.
func TestObserveSeveralDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.servers = 2
		s := observing(t, o, "/3303/0/5750")
		d := s.mount("dev0")
		_, label, _ := s.p.watch(to("GET /dev0/3303/0/5750").accepting(content.SenMLJSON))
		_, live, _ := s.p.watch(to("GET /dev0/3303/0/5700?pmax=300").accepting(content.Text))
		expect := func(what string, own, label2, live2 int) {
			t.Helper()
			s.pass(2 * time.Second)
			if len(*s.notes) != own || len(*label) != label2 || len(*live) != live2 {
				t.Errorf("%s: %d, %d and %d notifications, want %d, %d and %d", what, len(*s.notes), len(*label),
					len(*live), own, label2, live2)
			}
			*s.notes, *live = nil, nil
			if len(*label) > 0 && !strings.HasPrefix((*label)[0].body, `[{"bn":"/dev0/3303/0/5750",`) {
				t.Errorf("%s: notified of %s", what, (*label)[0].body)
			}
			*label = nil
		}
		s.peers[1].do(to("PUT /3303/0/5750").as(content.Text, "x"))
		expect("another server writes to the device itself", 1, 0, 0)
		s.peers[1].do(to("PUT /dev0/3303/0/5750").as(content.Text, "x"))
		expect("another server writes to the second device", 0, 1, 0)
		s.p.do(to("PUT /dev0/3303/0/5750").as(content.Text, "y"))
		expect("the own write", 0, 0, 0)
		s.p.do(to("IPATCH /").as(content.SenMLJSON, `[{"n":"/dev0/3303/0/5750","vs":"z"}]`))
		expect("the own Write-Composite", 0, 0, 0)
		s.must(d.relabel(context.Background(), "app"))
		expect("the application of the second device", 0, 1, 0)
		d.celsius = -8
		s.self.Notify(dm.Path{})
		expect("Notify on the device itself", 0, 0, 0)
		d.Notify(dm.ResourcePath(3303, 0, 5700))
		expect("Notify on the second device", 0, 0, 1)
		// The defaults of the server hold for observations of every device.
		s.write(dm.Application, dm.ResourcePath(1, 0, 3), "60")
		s.pass(time.Minute)
		expect("the default pmax", 1, 1, 0)
	})
}

// What a hook of a request changes on another device is not the server's own write there.
func TestHookChangesAnotherDevice(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var d *mounted
		o := device12
		o.world = func(w *world) {
			w.things2 = temperature.Hooks{Changed: func(ctx context.Context, tx *temperature.Tx) {
				if tx.Origin() == dm.Server(1) {
					if err := d.relabel(ctx, "hook"); err != nil {
						t.Error(err)
					}
				}
			}}
		}
		r := newRig(t, o)
		d = r.mount("dev0")
		_, notes, _ := r.peers[0].watch(to("GET /dev0/3303/0/5750").accepting(content.Text))
		r.peers[0].do(to("PUT /3303/0/5750").as(content.Text, "x"))
		r.pass(time.Second)
		if len(*notes) != 1 || (*notes)[0].body != "hook" {
			t.Errorf("notified of %v", *notes)
		}
	})
}

// Limits count per server, over all devices.
func TestLimitsOverSeveralDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.servers = 2
		o.config = func(c *Config) { c.Limits = Limits{Observations: 2, Attributes: 2, Pending: 2} }
		r := newRig(t, o)
		r.mount("dev0")
		r.mount("dev1")
		for i, path := range []string{"/3303/0/5750", "/dev0/3303/0/5750", "/dev1/3303/0/5750", "/3303/1/5750"} {
			first, _, _ := r.peers[0].watch(to("GET " + path))
			if begun := first.options.Has(coap.OptionObserve); begun != (i < 2) {
				t.Errorf("the observation of %s begins: %t", path, begun)
			}
			code := coap.Changed
			if i >= 2 {
				code = coap.ServiceUnavailable
			}
			if got := r.peers[0].do(to("PUT " + path + "?pmin=1")); got.code != code {
				t.Errorf("attributes of %s are answered %v, want %v", path, got.code, code)
			}
		}
		if n := r.peers[0].peer.Observations(); n != 2 {
			t.Errorf("%d observations", n)
		}
		// Slow functions of two devices.
		var waiting []*bool
		for _, line := range []string{"GET /3303/0/5601", "POST /3303/0/5605", "GET /dev0/3303/0/5601"} {
			_, done := r.peers[0].begin(to(line))
			waiting = append(waiting, done)
		}
		r.pass(time.Second)
		if *waiting[0] || *waiting[1] || !*waiting[2] {
			t.Errorf("answered are %v, %v and %v, want the third alone", *waiting[0], *waiting[1], *waiting[2])
		}
		// The other server has limits of its own.
		if first, _, _ := r.peers[1].watch(to("GET /dev1/3303/0/5750")); !first.options.Has(coap.OptionObserve) {
			t.Error("the other server cannot observe")
		}
		close(r.dev.release)
		r.until(func() bool { return *waiting[0] && *waiting[1] })
		r.peers[0].peer.Close()
		r.peers[1].peer.Close()
		for _, d := range r.m.devices {
			if n := d.watched.Load(); n != 0 {
				t.Errorf("%d nodes of %q are watched", n, d.cfg.Prefix)
			}
		}
		if n := r.m.watched.Load(); n != 0 {
			t.Errorf("%d nodes are watched", n)
		}
	})
}

// Access is asked for with the prefix of the device.
func TestAccessToSeveralDevices(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o := device12
		o.peer = func(c *PeerConfig) {
			c.Authorize = func(op Operation, prefix string, p dm.Path) error {
				if prefix == "dev0" && op != Discover {
					return dm.Unauthorized
				}
				return nil
			}
		}
		r := newRig(t, o)
		close(r.dev.release)
		r.mount("dev0")
		r.mount("dev1")
		r.peers[0].run([]step{
			{to("GET /dev0/3303/0/5700"), coap.Unauthorized, ""},
			{to("GET /dev1/3303/0/5700").accepting(content.Text), coap.Content, "-7"},
			{to("IPATCH /").as(content.SenMLJSON, `[{"n":"/dev0/3303/0/5750","vs":"x"}]`), coap.Unauthorized, ""},
			{to("FETCH /").as(content.SenMLJSON, `[{"n":"/dev0/3303/0/5750"},{"n":"/dev1/3303/0/5750"},{"n":"/dev0"}]`).accepting(content.SenMLJSON), coap.Content,
				`[{"bn":"/dev1/3303/0/","n":"5750","vs":"dev1"}]`},
		})
	})
}

// A device that is removed takes its observations, attributes and waiting requests with it, and
// leaves those of others.
func TestDevicesComeAndGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := observing(t, device12, "/3303/1/5750")
		d := s.mount("dev0")
		_, notes, _ := s.p.watch(to("GET /dev0/3303/0/5750"))
		s.p.do(to("PUT /dev0/3303/0/5750?pmax=10"))
		tx, err := d.model.Begin(context.Background(), dm.Application)
		s.must(err)
		_, waits := s.p.begin(to("PUT /dev0/3303/0/5750").as(content.Text, "x"))
		_, slow := s.p.begin(to("GET /dev0/3303/0/5601").with(func(o *coap.Options) { o.AddUint(coap.OptionObserve, 0) }))
		s.pass(time.Second)
		d.Close()
		d.Close()
		tx.Rollback()
		close(s.dev.release)
		s.until(func() bool { return *slow })
		s.expect(time.Minute)
		if len(*notes) != 0 || *waits || s.p.peer.Observations() != 1 || s.p.peer.attributes.used != 0 || !s.m.Idle() {
			t.Errorf("%d notifications, the waiting request is answered: %t, %d observations, %d nodes with attributes", len(*notes), *waits,
				s.p.peer.Observations(), s.p.peer.attributes.used)
		}
		if i, _ := d.things.Get(0); i.ApplicationType.Or("") != "dev0" {
			t.Errorf("the dropped request wrote %q", i.ApplicationType.Or(""))
		}
		d.Notify(dm.Path{})
		s.p.run([]step{
			{to("GET /dev0/3303/0/5750"), coap.NotFound, ""},
			{to("GET /3303/1/5750").accepting(content.Text), coap.Content, "fridge"},
		})
		s.label("cellar")
		s.expect(time.Second, "cellar")
		if n := s.m.watched.Load(); n != 1 {
			t.Errorf("%d nodes are watched", n)
		}
		next := s.mount("dev0") // of which nothing is observed
		next.Notify(dm.Path{})
		if got := s.p.do(to("GET /dev0/3303/0/5750").accepting(content.Link)); got.body != "</dev0/3303/0/5750>" {
			t.Errorf("the next device with the prefix has %s", got.body)
		}
		s.expect(time.Minute)
	})
}

// A manager without a device of its own serves the others.
func TestDeviceBehindAPrefixAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t, device12)
		r.mount("dev0")
		r.self.Close()
		r.peers[0].run([]step{
			{to("GET /3/0/0"), coap.NotFound, ""},
			{to("FETCH /").as(content.SenMLJSON, `[{"n":"/dev0/3303/0/5750"}]`), coap.NotFound, ""},
			{to("FETCH /dev0").as(content.SenMLJSON, `[{"n":"/dev0/3303/0/5750"}]`), coap.Content, ""},
			{to("GET /dev0/3303/0/5700").accepting(content.Text), coap.Content, "-7"},
		})
		if first, _, _ := r.peers[0].watch(to("GET /dev0/3303/0/5750")); !first.options.Has(coap.OptionObserve) {
			t.Error("the device cannot be observed")
		}
	})
}
