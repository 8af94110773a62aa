package connectivity_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/lwm2mgen/toolkit/generated/apnconnectionprofile"
	"github.com/lwm2mgen/toolkit/generated/bearerselection"
	"github.com/lwm2mgen/toolkit/generated/connectivitymonitoring"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/dm/dmtest"
	"github.com/lwm2mgen/toolkit/runtime/objects/connectivity"
	"github.com/lwm2mgen/toolkit/runtime/objects/internal/objecttest"
)

var must, same, refused = objecttest.Must, objecttest.Same, objecttest.Refused

func TestMonitoring(t *testing.T) {
	signal := int64(-80)
	o, err := connectivity.NewMonitoring(connectivity.MonitoringConfig{Instance: connectivity.MonitoringInstance{
		NetworkBearer:       dm.Int(connectivitymonitoring.NetworkBearerLTEFDD),
		RadioSignalStrength: dm.Func(func(context.Context) (int64, error) { return signal, nil }),
		IPAddresses:         dm.Strs("192.0.2.1"),
	}})
	must(t, err)
	d := objecttest.New(t, o)
	same(t, d.Read("/4/0"), "/4/0/0=6", "/4/0/1/0=6", "/4/0/2=-80", "/4/0/4/0=192.0.2.1")
	signal = -90
	same(t, d.Read("/4/0/2"), "/4/0/2=-90")
	refused(t, "a resource that was left out", d.Err("/4/0/8"), dm.NotFound)
}

// A function that is nil is an error at the start.
func TestNilFunction(t *testing.T) {
	_, err := connectivity.NewMonitoring(connectivity.MonitoringConfig{Instance: connectivity.MonitoringInstance{
		RadioSignalStrength: dm.Func[int64](nil),
	}})
	if err == nil || !strings.Contains(err.Error(), "/4/0/2") {
		t.Errorf("error %v", err)
	}
}

// Without functions the mandatory resources exist, and none of them fails a read.
func TestMonitoringOfTheSystem(t *testing.T) {
	o, err := connectivity.NewMonitoring(connectivity.MonitoringConfig{})
	must(t, err)
	d := objecttest.New(t, o)
	for _, line := range d.Read("/4/0") {
		_, value, _ := strings.Cut(line, "=")
		ip := net.ParseIP(value)
		if !strings.HasPrefix(line, "/4/0/4/") || ip == nil || ip.IsLoopback() || ip.IsLinkLocalUnicast() {
			t.Errorf("%s is no address", line)
		}
	}
	o, err = connectivity.NewMonitoring(connectivity.MonitoringConfig{Interface: "no such interface"})
	must(t, err)
	same(t, objecttest.New(t, o).Read("/4/0"))
}

func TestStatistics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var sent, received uint64 = 5000, 9000
		o, err := connectivity.NewStatistics(connectivity.StatisticsConfig{
			CollectionPeriod: time.Minute,
			Traffic:          func() (uint64, uint64) { return sent, received },
		})
		must(t, err)
		d := objecttest.New(t, o)
		figures := func(tx, rx int) {
			t.Helper()
			same(t, d.Read("/7/0")[:2], fmt.Sprint("/7/0/2=", tx), fmt.Sprint("/7/0/3=", rx))
		}
		figures(0, 0)
		sent += 10 << 10 // before the start
		must(t, d.Execute("/7/0/6", ""))
		sent, received = sent+3<<10, received+2<<10+1023
		figures(3, 2)
		must(t, d.Execute("/7/0/7", ""))
		must(t, d.Execute("/7/0/7", "")) // does nothing
		sent += 1 << 20
		figures(3, 2)
		must(t, d.Execute("/7/0/6", "")) // for a minute
		figures(0, 0)
		sent += 5 << 10
		<-time.After(40 * time.Second)
		must(t, d.Execute("/7/0/6", "")) // for a minute from now on
		sent += 6 << 10
		<-time.After(40 * time.Second)
		sent += 1 << 10
		figures(7, 0)
		<-time.After(20 * time.Second)
		synctest.Wait()
		sent += 1 << 20 // after the end
		figures(7, 0)
		must(t, d.Write("/7/0/8", dm.IntegerValue(0)))
		must(t, d.Execute("/7/0/6", ""))
		<-time.After(1000 * time.Hour)
		sent, received = 2<<10, received+1<<10 // the counter has begun again
		figures(2, 1)
		refused(t, "a negative period", d.Write("/7/0/8", dm.IntegerValue(-1)), dm.BadRequest)
		refused(t, "an endless period", d.Write("/7/0/8", dm.IntegerValue(1<<62)), dm.BadRequest)
		refused(t, "an SMS counter", d.Err("/7/0/0"), dm.NotFound)
	})
}

func TestCellular(t *testing.T) {
	var configured []string
	var off []time.Duration
	refuse := false
	o, err := connectivity.NewCellular(connectivity.CellularConfig{
		Instance: connectivity.CellularInstance{
			PSMTimer: dm.Int(3600), ActiveTimer: dm.Empty[int64](),
			EDRXParametersForNBS1Mode: dm.Empty[[]byte](),
			SupportedPowerSavingModes: dm.Uint(1), // PSM
			ActivePowerSavingModes:    dm.Uint(0),
		},
		Configure: func(_ context.Context, i *connectivity.CellularInstance) error {
			configured = append(configured, fmt.Sprint(i.PSMTimer, " ", i.ActivePowerSavingModes))
			if refuse && i.PSMTimer.Or(0) == 1 {
				return dm.Errorf(dm.Conflict, "no network")
			}
			return nil
		},
		DisableRadio: func(_ context.Context, d time.Duration) { off = append(off, d) },
	})
	must(t, err)
	d := objecttest.New(t, o)
	must(t, d.Write("/10/0/4", dm.IntegerValue(7200)))
	must(t, d.Write("/10/0/13", dm.UnsignedValue(1)))
	same(t, configured, "3600 0", "7200 0", "7200 1")
	configured, refuse = nil, true
	refused(t, "a change that the modem refuses", d.Write("/10/0/4", dm.IntegerValue(1)), dm.Conflict)
	same(t, configured, "1 1", "7200 1") // and back
	refuse = false
	refused(t, "eDRX, which the modem does not have", d.Write("/10/0/13", dm.UnsignedValue(2)), dm.BadRequest)
	refused(t, "a negative timer", d.Write("/10/0/5", dm.IntegerValue(-1)), dm.BadRequest)
	refused(t, "two octets of eDRX", d.Write("/10/0/9", dm.OpaqueValue([]byte{1, 2})), dm.BadRequest)
	must(t, d.Write("/10/0/9", dm.OpaqueValue([]byte{0x25})))
	must(t, d.Write("/10/0/1", dm.IntegerValue(90)))
	must(t, d.Write("/10/0/1", dm.IntegerValue(0)))
	tx, err := d.Model.Begin(context.Background(), dm.Bootstrap) // a restored value
	must(t, err)
	must(t, tx.Write(dm.ResourcePath(10, 0, 1), dm.Replace,
		[]dm.Entry{{Path: dm.ResourcePath(10, 0, 1), Value: dm.IntegerValue(30)}}))
	must(t, tx.Commit())
	if !slices.Equal(off, []time.Duration{90 * time.Minute}) {
		t.Errorf("the radio was disabled for %v", off)
	}
	same(t, d.Read("/10/0/11"))
	_, err = connectivity.NewCellular(connectivity.CellularConfig{Instance: connectivity.CellularInstance{
		ActivatedProfileNames: dm.Links(dm.ObjectLink{Object: 12}),
	}})
	refused(t, "a link to object 12", err, dm.BadRequest)
}

func profile(name string, enabled bool) connectivity.APNInstance {
	p := connectivity.APNTemplate()
	p.ProfileName, p.EnableStatus = dm.Str(name), dm.Bool(enabled)
	return p
}

// The links of object 10 follow the connections of object 11.
func TestActivatedProfiles(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		profiles, err := connectivity.NewAPN(connectivity.APNConfig{MaxInstances: 2})
		must(t, err)
		must(t, profiles.Add(0, profile("first", true)))
		cellular, err := connectivity.NewCellular(connectivity.CellularConfig{Profiles: profiles})
		must(t, err)
		d := objecttest.New(t, profiles, cellular)
		ctx := context.Background()
		same(t, d.Read("/10/0/11"))
		must(t, profiles.Connected(ctx, 0))
		same(t, d.Read("/10/0/11"), "/10/0/11/0=11:0")
		name := dm.Entry{Path: dm.ResourcePath(11, 1, 0), Value: dm.StringValue("second")}
		must(t, d.Create(11, 1, name))
		refused(t, "a third profile", d.Create(11, 2, name), dm.BadRequest)
		must(t, d.Write("/11/1/3", dm.BooleanValue(true)))
		must(t, profiles.Connected(ctx, 1))
		same(t, d.Read("/10/0/11"), "/10/0/11/0=11:0", "/10/0/11/1=11:1")
		<-time.After(time.Hour)
		must(t, d.Write("/11/0/3", dm.BooleanValue(false)))
		same(t, d.Read("/10/0/11"), "/10/0/11/1=11:1")
		same(t, d.Read("/11/0/12"), "/11/0/12/0="+time.Now().UTC().Format(time.RFC3339))
		must(t, d.Change(func(tx *dm.Transaction) error { return tx.Delete(dm.InstancePath(11, 1)) }))
		same(t, d.Read("/10/0/11"))
		if profiles.Connected(ctx, 1) == nil {
			t.Error("a deleted profile was connected")
		}
		same(t, d.Read("/10/0/11"))
	})
}

// A profile records its last four connections.
func TestConnectionRecord(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		profiles, err := connectivity.NewAPN(connectivity.APNConfig{})
		must(t, err)
		must(t, profiles.Add(0, profile("only", true)))
		d := objecttest.New(t, profiles)
		ctx := context.Background()
		must(t, profiles.Rejected(ctx, 0, 33))
		must(t, profiles.Disconnected(ctx, 0)) // does nothing
		same(t, d.Read("/11/0/10"), "/11/0/10/0=1")
		same(t, d.Read("/11/0/11"), "/11/0/11/0=33")
		same(t, d.Read("/11/0/12"))
		for range 5 {
			<-time.After(time.Second)
			must(t, profiles.Connected(ctx, 0))
			<-time.After(time.Second)
			must(t, profiles.Disconnected(ctx, 0))
		}
		same(t, d.Read("/11/0/10"), "/11/0/10/0=0", "/11/0/10/1=0", "/11/0/10/2=0", "/11/0/10/3=0")
		same(t, d.Read("/11/0/11"))
		if n := len(d.Read("/11/0/12")); n != 4 {
			t.Errorf("%d end times", n)
		}
	})
}

func TestAPNRefusals(t *testing.T) {
	var gone []dm.InstanceID
	profiles, err := connectivity.NewAPN(connectivity.APNConfig{
		Configure: func(_ context.Context, id dm.InstanceID, p *connectivity.APNInstance) error {
			if p == nil {
				gone = append(gone, id)
			} else if p.APN.Or("") == "forbidden" {
				return dm.Errorf(dm.Forbidden, "not in this contract")
			}
			return nil
		},
	})
	must(t, err)
	p := profile("x", true)
	p.Secret = dm.Password("hunter2")
	must(t, profiles.Add(0, p))
	d := objecttest.New(t, profiles)
	for path, v := range map[string]dm.Value{
		"/11/0/4": dm.IntegerValue(4), "/11/0/24": dm.IntegerValue(-1),
		"/11/0/7": dm.StringValue("10;60"),
	} {
		refused(t, path, d.Write(path, v), dm.BadRequest)
	}
	must(t, d.Write("/11/0/7", dm.StringValue("10,60,600,3600,86400")))
	must(t, d.Write("/11/0/8/0", dm.StringValue("262,01")))
	refused(t, "validity", d.Write("/11/0/8/0", dm.StringValue("Germany")), dm.BadRequest)
	must(t, d.Write("/11/0/1", dm.StringValue("iot.example")))
	refused(t, "an APN of the device's choice beside a name", d.Write("/11/0/2", dm.BooleanValue(true)), dm.BadRequest)
	refused(t, "what Configure refuses", d.Write("/11/0/1", dm.StringValue("forbidden")), dm.Forbidden)
	inst, _ := profiles.Get(0)
	if text := fmt.Sprintf("%v %+v %#v", inst, inst, inst); strings.Contains(text, "hunter2") {
		t.Error("the secret is printed: " + text)
	}
	refused(t, "the secret", d.Err("/11/0/6"), dm.MethodNotAllowed)
	must(t, profiles.Remove(context.Background(), 0))
	if !slices.Equal(gone, []dm.InstanceID{0}) {
		t.Errorf("told of the deletion of %v", gone)
	}
}

func TestBearerSelection(t *testing.T) {
	var selected []string
	var fail error
	o, err := connectivity.NewBearerSelection(connectivity.BearerSelectionConfig{
		Instance: connectivity.BearerInstance{OperatorList: dm.Empty[string]()},
		Select: func(_ context.Context, preferred []int64, s *connectivity.BearerInstance) error {
			selected = append(selected, fmt.Sprintf("%v %s", preferred, s.OperatorList.Or("-")))
			if s.OperatorList.Or("-") == "" {
				return fail
			}
			return nil
		},
	})
	must(t, err)
	d := objecttest.New(t, o)
	bearer := func(n dm.ResourceInstanceID, v int64) dm.Entry {
		return dm.Entry{Path: dm.ResourceInstancePath(13, 0, 0, n), Value: dm.IntegerValue(v)}
	}
	must(t, d.Write("/13/0/0/0", dm.IntegerValue(bearerselection.PreferredCommunicationsBearerWLAN)))
	must(t, d.Change(func(tx *dm.Transaction) error {
		return tx.Write(dm.ResourcePath(13, 0, 0), dm.Replace, []dm.Entry{bearer(5, 15), bearer(2, 4)})
	}))
	must(t, d.Write("/13/0/6", dm.StringValue("26201")))
	same(t, selected, "[] -", "[7] -", "[4 15] -", "[4 15] 26201")
	selected, fail = nil, errors.New("the modem is off")
	if d.Write("/13/0/6", dm.StringValue("")) == nil {
		t.Error("a failed selection was accepted")
	}
	same(t, selected, "[4 15] ", "[4 15] 26201")
}

// The objects keep what the data model demands of every object.
func TestConformance(t *testing.T) {
	monitoring, err := connectivity.NewMonitoring(connectivity.MonitoringConfig{})
	must(t, err)
	statistics, err := connectivity.NewStatistics(connectivity.StatisticsConfig{})
	must(t, err)
	profiles, err := connectivity.NewAPN(connectivity.APNConfig{})
	must(t, err)
	must(t, profiles.Add(0, profile("x", true)))
	cellular, err := connectivity.NewCellular(connectivity.CellularConfig{Profiles: profiles,
		Instance: connectivity.CellularInstance{SMSCAddress: dm.Empty[string](), PSMTimer: dm.Int(1)}})
	must(t, err)
	bearers, err := connectivity.NewBearerSelection(connectivity.BearerSelectionConfig{})
	must(t, err)
	dmtest.Object(t, monitoring)
	dmtest.Object(t, statistics)
	dmtest.Object(t, cellular)
	dmtest.Object(t, bearers)
	dmtest.Object(t, profiles.Object, dmtest.Except(apnconnectionprofile.AuthenticationTypeID,
		apnconnectionprofile.PDNTypeID, apnconnectionprofile.ReconnectScheduleID, apnconnectionprofile.ValidityID,
		apnconnectionprofile.AutoSelectAPNByDeviceID))
}
