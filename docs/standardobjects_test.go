//lint:file-ignore SA4006 pages and package comments leave out error checks

package docs_test

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/lwm2mgen/toolkit/generated/apnconnectionprofile"
	"github.com/lwm2mgen/toolkit/generated/connectivitymonitoring"
	values "github.com/lwm2mgen/toolkit/generated/eventlog"
	"github.com/lwm2mgen/toolkit/runtime/dm"
	"github.com/lwm2mgen/toolkit/runtime/lwm2m"
	"github.com/lwm2mgen/toolkit/runtime/objects/binaryappdata"
	"github.com/lwm2mgen/toolkit/runtime/objects/connectivity"
	"github.com/lwm2mgen/toolkit/runtime/objects/eventlog"
	"github.com/lwm2mgen/toolkit/runtime/objects/location"
	"github.com/lwm2mgen/toolkit/runtime/objects/portfolio"
)

// The code of standardobjects.md and of the package comments. It is compiled and never called.
var _ = []any{packageConnectivity, packageLocation, packagePortfolio, packageBinaryAppData, packageEventLog}

// modem, network, secure and app stand in for packages of a device maker.
var (
	modem struct {
		RSSI, Cell func(context.Context) (int64, error)
		SetProfile func(context.Context, dm.InstanceID, *connectivity.APNInstance) error
		Configure  func(context.Context, *connectivity.CellularInstance) error
		Detach     func(context.Context, time.Duration)
	}
	network struct {
		Prefer func(bearers []int64) error
	}
	secure struct {
		Sign func(context.Context, string) ([]byte, error)
	}
	app struct {
		Handle func(dm.InstanceID, binaryappdata.Instance)
	}
)

func packageConnectivity(password string) ([]dm.Object, error) {
	monitoring, err := connectivity.NewMonitoring(connectivity.MonitoringConfig{
		Instance: connectivity.MonitoringInstance{
			NetworkBearer:       dm.Int(connectivitymonitoring.NetworkBearerNBIoT),
			RadioSignalStrength: dm.Func(modem.RSSI, dm.DeadBand(3)), // in dB
			CellID:              dm.Slow(modem.Cell, dm.SampleEvery(time.Minute)),
		},
	})
	statistics, err := connectivity.NewStatistics(connectivity.StatisticsConfig{})
	profiles, err := connectivity.NewAPN(connectivity.APNConfig{Configure: modem.SetProfile})
	err = profiles.Add(0, connectivity.APNInstance{
		ProfileName:        dm.Str("meters"),
		APN:                dm.Str("iot.example"),
		EnableStatus:       dm.Bool(true),
		AuthenticationType: dm.Int(apnconnectionprofile.AuthenticationTypePAP),
		UserName:           dm.Str("meter"),
		Secret:             dm.Password(password),
	})
	cellular, err := connectivity.NewCellular(connectivity.CellularConfig{
		Instance: connectivity.CellularInstance{
			PSMTimer:    dm.Int(3600),
			ActiveTimer: dm.Int(60),
		},
		Profiles:     profiles,
		Configure:    modem.Configure,
		DisableRadio: modem.Detach,
	})
	bearers, err := connectivity.NewBearerSelection(connectivity.BearerSelectionConfig{
		Select: func(_ context.Context, preferred []int64, _ *connectivity.BearerInstance) error {
			return network.Prefer(preferred)
		},
	})
	return []dm.Object{monitoring, statistics, profiles, cellular, bearers}, err
}

func packageLocation(ctx context.Context, at time.Time) error {
	loc, err := location.New(location.Config{})
	err = loc.Set(ctx, location.Fix{
		Latitude: 43.5723, Longitude: 153.2176, Time: at,
		Altitude: dm.Float(140),
		Velocity: &location.Velocity{Bearing: 90, Horizontal: 3},
	})
	return err
}

func packagePortfolio() error {
	bag, err := portfolio.New(portfolio.Config{
		GetAuthData: func(ctx context.Context, identity []string, _ dm.Args) ([][]byte, error) {
			signature, err := secure.Sign(ctx, strings.Join(identity, "\n"))
			return [][]byte{signature}, err
		},
	})
	err = bag.Add(0, portfolio.Instance{Identity: dm.Strs("4711", "Example", "Meter", "1.2")})
	return err
}

func packageBinaryAppData(ctx context.Context, client *lwm2m.Client, reading []byte) error {
	box, err := binaryappdata.New(binaryappdata.Config{
		Received: func(_ context.Context, id dm.InstanceID, c binaryappdata.Instance) {
			go app.Handle(id, c)
		},
	})
	err = box.Add(0, binaryappdata.Instance{
		Data:             dm.ByteLists(),
		DataCreationTime: dm.Empty[time.Time](),
	})
	err = box.Add(1, binaryappdata.Template())
	err = box.Post(ctx, 0, reading)

	var b lwm2m.Batch
	b.Add(dm.InstancePath(19, 0))
	_, err = client.Send(ctx, 1, &b)
	return err
}

func packageEventLog() error {
	logs, err := eventlog.New(eventlog.Config{})
	trace, err := logs.AddLog(0, eventlog.LogConfig{Class: values.LogClassTrace, Size: 32 << 10})
	logger := slog.New(slog.NewTextHandler(trace, nil))
	logger.Info("pump started", "rpm", 1400)
	return err
}
