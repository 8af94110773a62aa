package lwm2m_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/apnconnectionprofile"
	"github.com/lwm2mgen/toolkit/generated/bearerselection"
	"github.com/lwm2mgen/toolkit/generated/cellularconnectivity"
	"github.com/lwm2mgen/toolkit/generated/connectivitymonitoring"
	"github.com/lwm2mgen/toolkit/net/simnet"
	"github.com/lwm2mgen/toolkit/runtime/coap"
	"github.com/lwm2mgen/toolkit/runtime/content"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2mtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/connectivity"
)

// onObjects runs a case with each version on a device that has further objects.
func onObjects(t *testing.T, objects func(m *managed) []dm.Object, fn func(m *managed)) {
	t.Helper()
	for _, v := range since11 {
		onVersion(t, v, func(m *managed) {
			m.cfg.Objects = append(m.cfg.Objects, objects(m)...)
		}, func(m *managed) {
			for _, o := range m.cfg.Objects {
				m.server.Define(o.Definition())
			}
			fn(m)
		})
	}
}

// added returns an object that a New function has made.
func added[T any](t *testing.T) func(o *dm.TypedObject[T], err error) dm.Object {
	return func(o *dm.TypedObject[T], err error) dm.Object {
		t.Helper()
		must(t, err)
		return o
	}
}

// executes executes a resource.
func (m *managed) executes(path string) {
	m.t.Helper()
	if a, err := m.dev.Execute(context.Background(), path, ""); err != nil || a.Code != coap.Changed {
		m.t.Errorf("Execute %s: %v (%v)", path, a, err)
	}
}

// valuesAt returns the values of a node in the format of the device's choice.
func (m *managed) valuesAt(path string) []string {
	m.t.Helper()
	return m.values(m.answers(coap.Content, lwm2mtest.Operation{Method: coap.GET, Path: path, Accept: content.None,
		Format: content.None}))
}

// observesValues begins an observation in the format of the device's choice, and returns its
// values.
func (m *managed) observesValues(path string) (*watch, []string) {
	m.t.Helper()
	obs, a, err := m.dev.Observe(context.Background(), path, content.None)
	if err != nil || a.Code != coap.Content {
		m.t.Fatalf("Observe %s: %v (%v)", path, a, err)
	}
	return &watch{m, obs, time.Now()}, m.values(a)
}

// valuesAfter returns the values of the next notification, which must arrive after d.
func (w *watch) valuesAfter(d time.Duration) []string {
	w.m.t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Hour)
	defer stop()
	a, err := w.obs.Next(ctx)
	if err != nil || time.Since(w.at) != d {
		w.m.t.Errorf("notified %v (%v) after %v, want it after %v", a, err, time.Since(w.at), d)
	}
	w.at = time.Now()
	return w.m.values(a)
}

// monitored is the Connectivity Monitoring object of configuration C.5. Its signal is live.
func monitored(t *testing.T, signal *atomic.Int64) dm.Object {
	return added[connectivity.MonitoringInstance](t)(connectivity.NewMonitoring(connectivity.MonitoringConfig{
		Instance: connectivity.MonitoringInstance{
			NetworkBearer: dm.Int(connectivitymonitoring.NetworkBearerLTEFDD),
			AvailableNetworkBearer: dm.Ints(connectivitymonitoring.NetworkBearerLTEFDD,
				connectivitymonitoring.NetworkBearerGSM),
			RadioSignalStrength: dm.Func(func(context.Context) (int64, error) { return signal.Load(), nil }),
			LinkQuality:         dm.Int(98),
			IPAddresses:         dm.Strs("192.168.0.100", "2001:db8::100"),
			RouterIPAddresses:   dm.Strs("192.168.1.1", "2001:db8::1"),
			LinkUtilization:     dm.Int(5),
			APN:                 dm.Strs("internet", "iot.example"),
			CellID:              dm.Int(268435455), SMNC: dm.Int(1), SMCC: dm.Int(262),
		},
	}))
}

func monitoredValues(signal int64) []string {
	return []string{
		"/4/0/0=6", "/4/0/1/0=6", "/4/0/1/1=0", fmt.Sprint("/4/0/2=", signal), "/4/0/3=98",
		"/4/0/4/0=192.168.0.100", "/4/0/4/1=2001:db8::100", "/4/0/5/0=192.168.1.1", "/4/0/5/1=2001:db8::1",
		"/4/0/6=5", "/4/0/7/0=internet", "/4/0/7/1=iot.example", "/4/0/8=268435455", "/4/0/9=1", "/4/0/10=262",
	}
}

func TestETS_1_1_int_701_ReadConnectivityMonitoring(t *testing.T) {
	var signal atomic.Int64
	signal.Store(-92)
	onObjects(t, func(m *managed) []dm.Object { return []dm.Object{monitored(m.t, &signal)} }, func(m *managed) {
		m.same("the object", m.valuesAt("/4/0"), monitoredValues(-92))
	})
}

func TestETS_1_1_int_710_ObserveConnectivityMonitoring(t *testing.T) {
	var signal atomic.Int64
	onObjects(t, func(m *managed) []dm.Object { return []dm.Object{monitored(m.t, &signal)} }, func(m *managed) {
		signal.Store(-92)
		m.attributes("/4/0", "pmin=2", "pmax=10")
		w, first := m.observesValues("/4/0")
		m.same("the response", first, monitoredValues(-92))
		m.same("at pmax", w.valuesAfter(10*time.Second), monitoredValues(-92))
		<-time.After(3 * time.Second)
		signal.Store(-101)
		m.same("sampled every pmin", w.valuesAfter(4*time.Second), monitoredValues(-101))
		m.same("at pmax", w.valuesAfter(10*time.Second), monitoredValues(-101))
	})
}

func counted(m *managed) []dm.Object {
	o, err := connectivity.NewStatistics(connectivity.StatisticsConfig{})
	must(m.t, err)
	return []dm.Object{o}
}

// The figures are exactly those of the datagrams from the response to Start to the request of Stop.
func TestETS_1_1_int_901_CollectStatistics(t *testing.T) {
	onObjects(t, counted, func(m *managed) {
		m.same("at first", m.valuesAt("/7/0"), []string{"/7/0/2=0", "/7/0/3=0", "/7/0/4=0", "/7/0/5=0", "/7/0/8=0"})
		var sent, received []int
		m.net.SetFilter(func(p simnet.Packet) bool {
			size := len(p.Data) + 28
			if slices.Contains(m.device.Addrs(), p.From.Addr()) {
				sent = append(sent, size)
			} else {
				received = append(received, size)
			}
			return true
		})
		m.executes("/7/0/6")
		for range 50 {
			m.get("/3/0", content.TLV)
		}
		<-time.After(5 * time.Second)
		m.executes("/7/0/7")
		m.net.SetFilter(nil)
		sent, received = sent[:len(sent)-1], received[1:]
		sum := func(sizes []int) (n int) {
			for _, s := range sizes {
				n += s
			}
			return n
		}
		all := append(slices.Clone(sent), received...)
		want := []string{
			fmt.Sprint("/7/0/2=", sum(sent)/1024), fmt.Sprint("/7/0/3=", sum(received)/1024),
			fmt.Sprint("/7/0/4=", slices.Max(all)), fmt.Sprint("/7/0/5=", sum(all)/len(all)), "/7/0/8=0",
		}
		m.same("after Stop", m.valuesAt("/7/0"), want)
		m.get("/3/0", content.TLV)
		m.same("later", m.valuesAt("/7/0"), want)
		if sum(sent) < 1024 || sum(received) < 1024 {
			m.t.Errorf("%d and %d bytes are too few to be seen", sum(sent), sum(received))
		}
	})
}

func TestETS_1_1_int_905_WriteCollectionPeriod(t *testing.T) {
	onObjects(t, counted, func(m *managed) {
		before := m.valuesAt("/7/0")
		m.put("/7/0/8", content.Text, "3600")
		m.same("the object", m.valuesAt("/7/0"), append(before[:len(before)-1], "/7/0/8=3600"))
	})
}

func TestETS_1_1_int_910_ObserveStatistics(t *testing.T) {
	onObjects(t, counted, func(m *managed) {
		m.attributes("/7/0", "pmin=2", "pmax=10")
		m.put("/7/0/8", content.Text, "0")
		w, first := m.observesValues("/7/0")
		m.same("the response", first, []string{"/7/0/2=0", "/7/0/3=0", "/7/0/4=0", "/7/0/5=0", "/7/0/8=0"})
		m.executes("/7/0/6")
		if got := w.valuesAfter(2 * time.Second); got[2] == "/7/0/4=0" {
			m.t.Errorf("after Start the notification has %q", got)
		}
		for range 40 {
			m.get("/3/0", content.TLV)
		}
		if got := w.valuesAfter(2 * time.Second); got[0] == "/7/0/2=0" || got[1] == "/7/0/3=0" {
			m.t.Errorf("after many reads the notification has %q", got)
		}
		w.valuesAfter(10 * time.Second) // nothing but its own traffic
		m.executes("/7/0/7")
		last := w.valuesAfter(10 * time.Second)
		m.same("after Stop", w.valuesAfter(10*time.Second), last)
		if a, err := w.obs.Cancel(context.Background()); err != nil || a.Code != coap.Content {
			m.t.Errorf("the cancellation was answered %v (%v)", a, err)
		}
	})
}

// cellular is the objects 10 and 11 of configurations C.10 and C.11, with the connected profile
// /11/0.
func cellular(m *managed, configure func(context.Context, dm.InstanceID, *connectivity.APNInstance) error) (
	[]dm.Object, *connectivity.APN) {
	profiles, err := connectivity.NewAPN(connectivity.APNConfig{Configure: configure})
	must(m.t, err)
	first := connectivity.APNTemplate()
	first.ProfileName, first.EnableStatus = dm.Str("first"), dm.Bool(true)
	must(m.t, profiles.Add(0, first))
	must(m.t, profiles.Connected(context.Background(), 0))
	modem, err := connectivity.NewCellular(connectivity.CellularConfig{
		Instance: connectivity.CellularInstance{
			PSMTimer: dm.Int(3600), ActiveTimer: dm.Int(600),
			EDRXParametersForWBS1Mode:        dm.Bytes([]byte{0x02}), // 20.48 s
			EDRXParametersForNBS1Mode:        dm.Bytes([]byte{0x05}), // 81.92 s
			ActivePowerSavingModes:           dm.Uint(3),
			ReleaseAssistanceIndicationUsage: dm.Uint(1),
		},
		Profiles: profiles,
	})
	must(m.t, err)
	return []dm.Object{modem, profiles}, profiles
}

func withCellular(m *managed) []dm.Object {
	objects, _ := cellular(m, nil)
	return objects
}

const (
	cellularTLV   = "C204 0E10 C205 0258 C108 02 C109 05 860B 4400 000B0000 C10D 03 C10E 01"
	cellularLinks = "</10>;ver=1.1,</10/0>,</10/0/4>,</10/0/5>,</10/0/8>,</10/0/9>,</10/0/11>;dim=1,</10/0/13>,</10/0/14>"
)

// discoversCellular checks the links of object 10. A version that is also that of LwM2M is left
// out.
func (m *managed) discoversCellular() {
	m.t.Helper()
	m.discovers("/10", "", cellularLinks)
}

func TestETS_1_1_int_1200_ReadCellular(t *testing.T) {
	onObjects(t, withCellular, func(m *managed) {
		m.reads("/10/0", content.TLV, cellularTLV)
	})
}

func TestETS_1_1_int_1201_ReadCellular11(t *testing.T) {
	onObjects(t, withCellular, func(m *managed) {
		m.discoversCellular()
		m.reads("/10/0", content.TLV, cellularTLV)
		m.reads("/10/0/11", content.TLV, "860B 4400 000B0000")
	})
}

func TestETS_1_1_int_1202_SetPowerSaving(t *testing.T) {
	onObjects(t, withCellular, func(m *managed) {
		m.discoversCellular()
		m.reads("/10/0/13", content.Text, "3")
		m.put("/10/0/14", content.TLV, "C10E 02")
		m.reads("/10/0/14", content.Text, "2")
	})
}

// notifiesEvery begins observations and fails unless each notifies at its pmax.
func (m *managed) notifiesEvery(pmax map[dm.ResourceID]time.Duration, values map[dm.ResourceID]string) {
	m.t.Helper()
	watches := map[dm.ResourceID]*watch{}
	for id := range pmax {
		path := dm.ResourcePath(cellularconnectivity.ObjectID, 0, id).String()
		m.attributes(path, fmt.Sprint("pmin=", int((pmax[id]-10*time.Second).Seconds())), fmt.Sprint("pmax=", int(pmax[id].Seconds())))
		watches[id] = m.observes(path, values[id])
	}
	for id, d := range pmax {
		for range 2 {
			ctx, stop := context.WithTimeout(context.Background(), d+time.Second)
			a, err := watches[id].obs.Next(ctx)
			stop()
			if err != nil || a.Text() != values[id] {
				m.t.Errorf("/10/0/%d: notified %v (%v), want %s", id, a, err, values[id])
			}
		}
	}
}

func TestETS_1_1_int_1203_ObservePowerSaving(t *testing.T) {
	onObjects(t, withCellular, func(m *managed) {
		m.discoversCellular()
		m.notifiesEvery(map[dm.ResourceID]time.Duration{13: 15 * time.Second, 14: 20 * time.Second},
			map[dm.ResourceID]string{13: `[{"bn":"/10/0/13","v":3}]`, 14: `[{"bn":"/10/0/14","v":1}]`})
	})
}

func TestETS_1_1_int_1204_ObserveTimers(t *testing.T) {
	onObjects(t, withCellular, func(m *managed) {
		m.discoversCellular()
		m.notifiesEvery(map[dm.ResourceID]time.Duration{
			4: 15 * time.Second, 5: 20 * time.Second, 8: 15 * time.Second, 9: 20 * time.Second,
		}, map[dm.ResourceID]string{
			4: `[{"bn":"/10/0/4","v":3600}]`, 5: `[{"bn":"/10/0/5","v":600}]`,
			8: `[{"bn":"/10/0/8","vd":"Ag"}]`, 9: `[{"bn":"/10/0/9","vd":"BQ"}]`,
		})
	})
}

func TestETS_1_1_int_1250_ConfigureAPN(t *testing.T) {
	var profiles *connectivity.APN
	// The modem connects a second after a profile was enabled.
	connect := func(_ context.Context, id dm.InstanceID, p *connectivity.APNInstance) error {
		if p != nil && p.EnableStatus.Or(false) && id != 0 {
			time.AfterFunc(time.Second, func() { _ = profiles.Connected(context.Background(), id) })
		}
		return nil
	}
	onObjects(t, func(m *managed) (objects []dm.Object) {
		objects, profiles = cellular(m, connect)
		return objects
	}, func(m *managed) {
		a := m.answers(coap.Created, lwm2mtest.Operation{
			Method: coap.POST, Path: "/11", Accept: content.None, Format: content.SenMLJSON,
			Payload: []byte(`[{"bn":"/11/1/","n":"0","vs":"second"},{"n":"1","vs":"iot.example"},{"n":"4","v":0},{"n":"5","vs":"u"},{"n":"6","vs":"p"}]`),
		})
		if a.Location != "/11/1" {
			m.t.Errorf("it is at %q, want /11/1", a.Location)
		}
		m.executes("/1/0/8")
		if r := m.want("POST " + m.location()); !strings.Contains(string(r.Payload), "</11/0>,</11/1>") {
			m.t.Errorf("the Update lists %s", r.Payload)
		}
		m.reads("/10/0/11", content.TLV, "860B 4400 000B0000")
		m.put("/11/1/3", content.Text, "1")
		<-time.After(2 * time.Second)
		m.reads("/10/0/11", content.TLV, "880B0C 4400 000B0000 4401 000B0001")
		m.reads("/11/1/10", content.SenMLJSON, `[{"bn":"/11/1/10/","n":"0","v":0}]`)
		if a, err := m.dev.Read(context.Background(), "/11/1/6", content.Text); err != nil || a.Code != coap.MethodNotAllowed {
			m.t.Errorf("the secret was answered %v (%v)", a, err)
		}
		inst, _ := profiles.Get(1)
		if s, _ := inst.Secret.Get(); s.Reveal() != "p" || inst.AuthenticationType.Or(-1) != apnconnectionprofile.AuthenticationTypePAP {
			m.t.Error("the credentials were not written")
		}
	})
}

func TestETS_1_1_int_1350_SelectBearer(t *testing.T) {
	var bearer atomic.Int64
	onObjects(t, func(m *managed) []dm.Object {
		bearer.Store(bearerselection.PreferredCommunicationsBearerPS)
		objects := withCellular(m)
		return append(objects, added[connectivity.BearerInstance](m.t)(connectivity.NewBearerSelection(
			connectivity.BearerSelectionConfig{
				Select: func(_ context.Context, preferred []int64, _ *connectivity.BearerInstance) error {
					if len(preferred) == 0 || preferred[0] == bearer.Load() {
						return nil
					}
					// The network changes after the server has got its response.
					bearer.Store(preferred[0])
					time.AfterFunc(time.Second, func() {
						m.device.Move()
						_ = m.client.Reconnect(1)
					})
					return nil
				},
			})))
	}, func(m *managed) {
		for _, wanted := range []int64{bearerselection.PreferredCommunicationsBearerWLAN, bearerselection.PreferredCommunicationsBearerPS} {
			before := m.location()
			m.put("/13/0/0", content.SenMLJSON, fmt.Sprintf(`[{"n":"/13/0/0/0","v":%d}]`, wanted))
			if r := m.next(); r.Method != coap.POST || r.Path != "/rd" {
				m.t.Errorf("after the switch the device sent %v", r)
			}
			synctest.Wait()
			m.dev = m.server.WaitRegistered("dev")
			if m.location() == before {
				m.t.Error("the registration is that of the address before")
			}
			m.reads("/13/0/0", content.SenMLJSON, fmt.Sprintf(`[{"bn":"/13/0/0/","n":"0","v":%d}]`, wanted))
		}
		m.reads("/10/0", content.TLV, cellularTLV)
	})
}
