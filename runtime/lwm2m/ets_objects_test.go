package lwm2m_test

import (
	"context"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/device"
)

// behaving returns a Device with the behaviour of package objects/device.
func behaving(t *testing.T, c device.Config) dm.Object {
	t.Helper()
	all := etsInstance()
	c.Instance = device.Instance{
		Manufacturer: all.Manufacturer, ModelNumber: all.ModelNumber, SerialNumber: all.SerialNumber,
		FirmwareVersion: all.FirmwareVersion,
	}
	d, err := device.New(c)
	must(t, err)
	return d
}

func TestETS_1_1_int_241_Reboot(t *testing.T) {
	onBench(t, func(b *bench) {
		reboot := make(chan struct{}, 1)
		boot := func() (halt func()) {
			cfg := b.cfg
			cfg.Objects = []dm.Object{behaving(b.t, device.Config{Reboot: func(context.Context) error {
				reboot <- struct{}{}
				return nil
			}})}
			client, err := lwm2m.New(cfg)
			must(b.t, err)
			ctx, stop := context.WithCancel(context.Background())
			ended := make(chan error, 1)
			go func() { ended <- client.Run(ctx) }()
			return func() {
				stop()
				if err := <-ended; err != nil {
					b.t.Errorf("Run: %v", err)
				}
			}
		}
		halt := boot()
		register := b.next()
		location := b.location()
		b.does(coap.Changed, func(ctx context.Context, c *lwm2mtest.Client) (lwm2mtest.Answer, error) {
			return c.Execute(ctx, "/3/0/4", "")
		})
		<-reboot // the server already has the response
		halt()
		b.want("DELETE " + location)
		defer boot()()
		b.want(register.String())
		if now := b.location(); now == location {
			b.t.Errorf("the device is at %s still", now)
		}
	})
}

func TestETS_1_1_int_651_DeviceAccess(t *testing.T) {
	prepare := func(m *managed) { m.cfg.Objects[0] = behaving(m.t, device.Config{}) }
	onVersion(t, since12[0], prepare, func(m *managed) {
		before := m.values(m.get("/3/0", content.TLV))
		m.post("/3/0", content.TLV, "C40D 5182428F C60E 2B30323A3030 C80F0C 4575726F70652F5061726973")
		m.reads("/3/0/13", content.TLV, "C40D 5182428F")
		m.reads("/3/0/14", content.Text, "+02:00")
		m.reads("/3/0/15", content.Text, "Europe/Paris")
		<-time.After(25 * time.Second)
		m.reads("/3/0/13", content.Text, "1367491240") // the clock runs
		var restore []string
		for _, line := range before {
			path, value, _ := strings.Cut(line, "=")
			switch path {
			case "/3/0/13":
				at, err := time.Parse(time.RFC3339, value)
				must(m.t, err)
				restore = append(restore, `{"n":"13","v":`+strconv.FormatInt(at.Unix(), 10)+`}`)
			case "/3/0/14", "/3/0/15":
				restore = append(restore, `{"n":"`+path[len("/3/0/"):]+`","vs":"`+value+`"}`)
			}
		}
		restore[0] = `{"bn":"/3/0/",` + restore[0][1:]
		m.post("/3/0", content.SenMLJSON, "["+strings.Join(restore, ",")+"]")
		after := slices.DeleteFunc(m.values(m.get("/3/0", content.TLV)), func(line string) bool {
			// The system may not name a time zone.
			return strings.HasPrefix(line, "/3/0/15=") && !slices.Contains(before, line)
		})
		m.same("what was there before", after, before)
	})
}

func TestETS_1_1_int_652_FirmwareVersion(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.reads("/3/0/3", content.Text, "1.0")
		a := m.answers(coap.Content, lwm2mtest.Operation{Method: coap.GET, Path: "/3/0/3", Accept: content.None,
			Format: content.None})
		m.same("in the format of the device's choice", m.values(a), []string{"/3/0/3=1.0"})
	})
}

func TestETS_1_1_int_680_CreateDevice(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.write(coap.MethodNotAllowed, coap.POST, "/3", content.TLV, "08010400C11055")
		m.write(coap.MethodNotAllowed, coap.POST, "/3", content.TLV, "")
		m.reads("/3/0", content.TLV, deviceTLV)
	})
}

func TestETS_1_1_int_685_DeleteDevice(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.answers(coap.MethodNotAllowed, lwm2mtest.Operation{Method: coap.DELETE, Path: "/3/0",
			Accept: content.None, Format: content.None})
		m.reads("/3/0", content.TLV, deviceTLV)
	})
}

func TestETS_1_1_int_1630_CreatePortfolio(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.discovers("/16", "", "</16>,</16/0>,</16/0/0>;dim=4")
		const first, second = "08001D 88001A 4400686F7374 45016D616B6572 45026D6F64656C 4403736F6674",
			"080112 88000F 4600686F73742D32 45016D6F64656C"
		a := m.answers(coap.Created, lwm2mtest.Operation{
			Method: coap.POST, Path: "/16", Accept: content.None, Format: content.TLV,
			Payload: m.bytesOf(content.TLV, second),
		})
		if a.Location != "/16/1" {
			m.t.Errorf("it is at %q, want /16/1", a.Location)
		}
		if r := m.want("POST " + m.location()); !strings.Contains(string(r.Payload), "</16/0>,</16/1>") {
			m.t.Errorf("the Update lists %s", r.Payload)
		}
		m.discovers("/16", "", "</16>,</16/0>,</16/0/0>;dim=4,</16/1>,</16/1/0>;dim=2")
		m.reads("/16", content.TLV, first+second)
	})
}

func TestETS_1_1_int_1635_DeletePortfolio(t *testing.T) {
	onManaged(t, func(m *managed) {
		m.discovers("/16", "", "</16>,</16/0>,</16/0/0>;dim=4")
		m.answers(coap.Deleted, lwm2mtest.Operation{Method: coap.DELETE, Path: "/16/0", Accept: content.None,
			Format: content.None})
		if r := m.want("POST " + m.location()); !strings.Contains(string(r.Payload), "</16>") ||
			strings.Contains(string(r.Payload), "</16/0>") {
			m.t.Errorf("the Update lists %s", r.Payload)
		}
		m.discovers("/16", "", "</16>")
		m.answers(coap.NotFound, lwm2mtest.Operation{Method: coap.DELETE, Path: "/16/0", Accept: content.None,
			Format: content.None})
	})
}

// onTwoServers runs a case on a device with two accounts.
func onTwoServers(t *testing.T, fn func(m *managed, second *lwm2mtest.Server)) {
	t.Helper()
	var second *lwm2mtest.Server
	onVersion(t, since12[0], func(m *managed) {
		l, err := m.net.NewHost("second").Listen(5683)
		must(m.t, err)
		second = lwm2mtest.NewServer(m.t, l)
		m.cfg.Servers = append(m.cfg.Servers, lwm2m.Server{URI: "coap://second", Lifetime: time.Hour})
	}, func(m *managed) { fn(m, second) })
}

func TestETS_1_1_int_950_TwoServers(t *testing.T) {
	onTwoServers(t, func(m *managed, second *lwm2mtest.Server) {
		second.WaitRegistered("dev")
		for s, lt := range map[*lwm2mtest.Server]string{m.server: "lt=86400", second: "lt=3600"} {
			r := s.Requests()[0]
			if r.Method != coap.POST || r.Path != "/rd" || !slices.Contains(r.Query, "ep=dev") ||
				!slices.Contains(r.Query, lt) {
				m.t.Errorf("the device sent %v, want a Register with %s", r, lt)
			}
		}
		synctest.Wait()
		for _, short := range []lwm2m.ShortServerID{1, 2} {
			if s, _ := m.client.Status().Server(short); s.State != lwm2m.StateRegistered {
				m.t.Errorf("status %v", s)
			}
		}
	})
}

func TestETS_1_1_int_951_AttributesPerServer(t *testing.T) {
	onTwoServers(t, func(m *managed, second *lwm2mtest.Server) {
		m.attributes("/3/0", "pmin=2", "pmax=10")
		first := m.dev
		m.dev = second.WaitRegistered("dev")
		m.discovers("/3/0/7", "", "</3/0/7>;dim=2,</3/0/7/0>,</3/0/7/1>")
		m.attributes("/3/0", "pmin=15", "pmax=50")
		m.discovers("/3/0/7", "", "</3/0/7>;dim=2;pmin=15;pmax=50,</3/0/7/0>,</3/0/7/1>")
		m.dev = first
		m.discovers("/3/0/7", "", "</3/0/7>;dim=2;pmin=2;pmax=10,</3/0/7/0>,</3/0/7/1>")
	})
}
