package manage

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/lwm2mgen/toolkit/generated/device"
	"github.com/lwm2mgen/toolkit/generated/eventlog"
	"github.com/lwm2mgen/toolkit/generated/firmwareupdate"
	"github.com/lwm2mgen/toolkit/generated/portfolio"
	"github.com/lwm2mgen/toolkit/generated/security"
	"github.com/lwm2mgen/toolkit/generated/server"
	"github.com/lwm2mgen/toolkit/generated/temperature"
	"github.com/lwm2mgen/toolkit/runtime/dm"
)

// world holds the objects of the device, and what their functions return and have noted.
type world struct {
	servers   *server.Object
	things    *temperature.Object
	portfolio *portfolio.Object
	device    *device.Object
	ready     dm.Object // in its place
	celsius   float64
	noCelsius error
	samples   int // calls for celsius
	minimum   func() (float64, error)
	executed  []string
	release   chan struct{} // closed when slow functions may return
	image     []byte
	aborted   int
	committed int
	failOpen  error
	failWrite error // after 2000 bytes
	logData   []byte
	logSize   int64 // -1: known only at the end
	closed    int   // logs
	more      []dm.Object
	things2   temperature.Hooks
	fault     func(where string) // called by user code, where it is set
}

// newModel makes the objects of the device.
func (r *rig) newModel(o setup) *dm.Model {
	r.t.Helper()
	w := &r.dev
	sec, err := security.New(security.Config{})
	r.must(err)
	r.must(sec.Add(0, security.Instance{
		ServerURI: dm.Str("coap://server1"), BootstrapServer: dm.Bool(false), SecurityMode: dm.Int(0),
		PublicKeyOrIdentity: dm.Key([]byte("identity")), ServerPublicKey: dm.Key(nil),
		SecretKey:     dm.Key([]byte("hunter2")),
		ShortServerID: dm.Int(1),
	}))
	w.servers, err = server.New(server.Config{})
	r.must(err)
	for i := range max(o.servers, 1) {
		r.must(w.servers.Add(dm.InstanceID(i), server.Instance{
			ShortServerID: dm.Int(int64(i + 1)), Lifetime: dm.Int(86400), DefaultMinimumPeriod: dm.Empty[int64](),
			DefaultMaximumPeriod: dm.Empty[int64](), DisableTimeout: dm.Empty[int64](),
			DefaultNotificationMode:                  dm.Empty[int64](),
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
		SensorValue: dm.Func(func(context.Context) (float64, error) {
			w.at("function")
			w.samples++
			return w.celsius, w.noCelsius
		}),
		SensorUnits: dm.Str("Cel"), ApplicationType: dm.Str("boiler"),
		MinMeasuredValue: dm.Slow(func(context.Context) (float64, error) { <-w.release; return w.minimum() }),
		ResetMinAndMaxMeasuredValues: dm.SlowExec(func(context.Context, dm.Args) error {
			<-w.release
			w.at("slow executable")
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
	deviceObject := w.ready
	if deviceObject == nil {
		deviceObject = w.device
	}
	objects := append([]dm.Object{sec, w.servers, deviceObject, w.portfolio, w.things, fw, log}, w.more...)
	model, err := dm.NewModel(dm.ModelConfig{Persist: o.persist, Logger: r.logger()}, objects...)
	r.must(err)
	return model
}

func (w *world) at(where string) {
	if w.fault != nil {
		w.fault(where)
	}
}

func (w *world) deviceInstance() device.Instance {
	return device.Instance{
		Manufacturer: dm.Str("Acme"), ModelNumber: dm.Str("M1"), SerialNumber: dm.Str("0815"),
		FirmwareVersion: dm.Str("1.0"),
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
			w.at("open")
			if w.failOpen != nil {
				return nil, w.failOpen
			}
			return &imageSink{w: w}, nil
		}),
		PackageURI: dm.Str(""), Update: func(context.Context, dm.Args) error { return nil },
		State: dm.Int(0), UpdateResult: dm.Int(0), FirmwareUpdateDeliveryMethod: dm.Int(1),
	}
}

// memSource is a stream that is read forwards only.
type memSource struct {
	r interface {
		Read([]byte) (int, error)
		Size() int64
	}
}

func (m *memSource) Read(p []byte) (int, error) { return m.r.Read(p) }

func (m *memSource) Size() int64 { return m.r.Size() }

func (m *memSource) Close() error { return nil }

// logSource is the stream of the log; it counts how often it is closed.
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

// imageSink stores an image when it is committed.
type imageSink struct {
	w    *world
	data []byte
}

func (s *imageSink) Write(b []byte) (int, error) {
	s.w.at("write")
	if s.w.failWrite != nil && len(s.data) > 2000 {
		return 0, s.w.failWrite
	}
	s.data = append(s.data, b...)
	return len(b), nil
}

func (s *imageSink) Commit(context.Context) error {
	s.w.at("commit")
	s.w.image = s.data
	s.w.committed++
	return nil
}

func (s *imageSink) Abort() { s.w.aborted++ }
